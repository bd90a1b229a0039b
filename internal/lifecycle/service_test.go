package lifecycle_test

import (
	"context"
	"slices"
	"testing"

	"tokenserver/internal/lifecycle"
	"tokenserver/store"
)

// rows notes in which order rows are locked.
type rows struct{ order []string }

func (r *rows) note(what string) { r.order = append(r.order, what) }

func (r *rows) LockInstallation(context.Context, string) (store.Installation, error) {
	r.note("installation")
	return store.Installation{}, nil
}

func (r *rows) LockProfile(_ context.Context, _, profileID string) (store.Profile, error) {
	r.note("profile " + profileID)
	return store.Profile{ProfileID: profileID}, nil
}

func (r *rows) ProfilesOf(context.Context, string) ([]store.Profile, error) {
	return []store.Profile{{ProfileID: "plain1"}, {ProfileID: "enroll"}}, nil
}

func (r *rows) DeleteProfile(context.Context, string, string) error { return nil }

func (r *rows) DeleteInstallation(context.Context, string) error { return nil }

func (r *rows) LockEnrollment(_ context.Context, id string) (store.Enrollment, error) {
	r.note("enrollment " + id)
	return store.Enrollment{ID: id}, nil
}

func (r *rows) EnrollmentOf(context.Context, string, string) (store.Enrollment, error) {
	return store.Enrollment{}, store.ErrNotFound
}

func (r *rows) EnrollmentsOfClient(context.Context, string) ([]store.Enrollment, error) {
	return []store.Enrollment{{ID: "e", ProfileID: "enroll"}}, nil
}

func (r *rows) DeleteEnrollment(context.Context, string) error { return nil }

func (r *rows) RevokeProfile(context.Context, string, string) (int, error) { return 0, nil }

func (r *rows) RevokeClient(context.Context, string) (int, error) {
	r.note("tokens")
	return 0, nil
}

func (r *rows) OpenOf(context.Context, string) ([]store.Transaction, error) { return nil, nil }

func (r *rows) Fail(context.Context, store.Transaction, store.Reason) error { return nil }

// Every profile is locked before tokens and enrollments, also one without an enrollment: a refresh locks its profile,
// then its tokens.
func TestRemoveInstallationLocksProfilesFirst(t *testing.T) {
	r := &rows{}
	s := &lifecycle.Service{Installations: r, Enrollments: r, Tokens: r, Transactions: r, Endings: r}
	if err := s.RemoveInstallation(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
	want := []string{"installation", "profile plain1", "profile enroll", "enrollment e", "tokens"}
	if !slices.Equal(r.order, want) {
		t.Errorf("%q, want %q", r.order, want)
	}
}
