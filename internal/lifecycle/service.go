package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/store"
)

// Service removes profiles, enrollments and installations. Every field is required.
type Service struct {
	Installations installations
	Enrollments   enrollments
	Tokens        tokens
	Transactions  transactions
	Endings       endings
}

// installations is what the service needs of the SQL store about installations and their users.
type installations interface {
	LockInstallation(ctx context.Context, clientID string) (store.Installation, error)
	LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error)
	DeleteProfile(ctx context.Context, clientID, profileID string) error
	// DeleteInstallation removes the profiles too.
	DeleteInstallation(ctx context.Context, clientID string) error
}

// enrollments is what the service needs of the SQL store about enrollments.
type enrollments interface {
	LockEnrollment(ctx context.Context, id string) (store.Enrollment, error)
	EnrollmentOf(ctx context.Context, clientID, profileID string) (store.Enrollment, error)
	EnrollmentsOfClient(ctx context.Context, clientID string) ([]store.Enrollment, error)
	DeleteEnrollment(ctx context.Context, id string) error
}

// tokens ends tokens durably; counts are of refresh token families.
type tokens interface {
	RevokeProfile(ctx context.Context, clientID, profileID string) (count int, err error)
	RevokeClient(ctx context.Context, clientID string) (count int, err error)
}

// transactions is what is in flight.
type transactions interface {
	OpenOf(ctx context.Context, enrollmentID string) ([]store.Transaction, error)
}

// endings ends transactions: outcome and callback in the SQL transaction of ctx, Redis after it.
type endings interface {
	// Fail leaves a transaction alone that somebody has decided already.
	Fail(ctx context.Context, t store.Transaction, reason store.Reason) error
}

// RemoveProfile removes one user from one installation: all tokens, the enrollment, the record with its PIN counter.
// answering is the transaction whose answer is the cause, "" when there is none: it fails as invalid_answer, the others
// as invalid_request. Errors: store.ErrNotFound when there is no such profile.
func (s *Service) RemoveProfile(ctx context.Context, clientID, profileID, answering string) error {
	if _, err := s.Installations.LockProfile(ctx, clientID, profileID); err != nil {
		return fmt.Errorf("remove profile: %w", err)
	}
	e, err := s.Enrollments.EnrollmentOf(ctx, clientID, profileID)
	switch {
	case err == nil:
		if err := s.removeEnrollment(ctx, e.ID, store.InvalidRequest, answering); err != nil {
			return fmt.Errorf("remove profile: %w", err)
		}
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("remove profile: %w", err)
	}
	if _, err := s.Tokens.RevokeProfile(ctx, clientID, profileID); err != nil {
		return fmt.Errorf("remove profile: %w", err)
	}
	if err := s.Installations.DeleteProfile(ctx, clientID, profileID); err != nil {
		return fmt.Errorf("remove profile: %w", err)
	}
	return nil
}

// RemoveEnrollment removes one app instance: its keys and its push token. Its open transactions fail with the reason.
// Errors: store.ErrNotFound when it is gone already.
func (s *Service) RemoveEnrollment(ctx context.Context, enrollmentID string, reason store.Reason) error {
	return s.removeEnrollment(ctx, enrollmentID, reason, "")
}

// RemoveInstallation removes an installation with all its users. Errors: store.ErrNotFound when it is gone already.
func (s *Service) RemoveInstallation(ctx context.Context, clientID string) error {
	if _, err := s.Installations.LockInstallation(ctx, clientID); err != nil {
		return fmt.Errorf("remove installation: %w", err)
	}
	profiles, err := s.Installations.ProfilesOf(ctx, clientID)
	if err != nil {
		return fmt.Errorf("remove installation: %w", err)
	}
	// Profiles before enrollments and tokens, as everywhere: the other order could deadlock with an answer or a refresh.
	for _, p := range profiles {
		if _, err := s.Installations.LockProfile(ctx, clientID, p.ProfileID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("remove installation: %w", err)
		}
	}
	list, err := s.Enrollments.EnrollmentsOfClient(ctx, clientID)
	if err != nil {
		return fmt.Errorf("remove installation: %w", err)
	}
	for _, e := range list {
		if err := s.removeEnrollment(ctx, e.ID, store.InvalidRequest, ""); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("remove installation: %w", err)
		}
	}
	if _, err := s.Tokens.RevokeClient(ctx, clientID); err != nil {
		return fmt.Errorf("remove installation: %w", err)
	}
	if err := s.Installations.DeleteInstallation(ctx, clientID); err != nil {
		return fmt.Errorf("remove installation: %w", err)
	}
	return nil
}

// removeEnrollment takes the row first: an answer that is being decided holds its lock, and wins by that.
func (s *Service) removeEnrollment(ctx context.Context, id string, reason store.Reason, answering string) error {
	if _, err := s.Enrollments.LockEnrollment(ctx, id); err != nil {
		return fmt.Errorf("remove enrollment: %w", err)
	}
	open, err := s.Transactions.OpenOf(ctx, id)
	if err != nil {
		return fmt.Errorf("open transactions of an enrollment: %w", err)
	}
	for _, t := range open {
		why := reason
		if t.ID == answering {
			why = store.InvalidAnswer
		}
		if err := s.Endings.Fail(ctx, t, why); err != nil {
			return fmt.Errorf("fail open transaction: %w", err)
		}
	}
	if err := s.Enrollments.DeleteEnrollment(ctx, id); err != nil {
		return fmt.Errorf("remove enrollment: %w", err)
	}
	return nil
}
