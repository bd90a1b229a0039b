package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Service keeps browser sessions. Every field is required. Safe for concurrent use.
type Service struct {
	Store    keeper
	Jobs     outbox
	Tokens   tokens
	Marks    marks
	Settings settingsSource
	Wake     func(kind string) // hints that a job was written
	Now      func() time.Time
	NewID    func() string // UUID
}

// keeper is the transaction state: Redis.
type keeper interface {
	AddSession(ctx context.Context, b store.BrowserSession) error
	uses
	Session(ctx context.Context, hash []byte) (store.BrowserSession, error)
	SessionsOf(ctx context.Context, userID string) ([]store.BrowserSession, error)
	EndSession(ctx context.Context, b store.BrowserSession) error
}

// uses is what happens to a live session. Errors: store.ErrNotFound.
type uses interface {
	TouchSession(ctx context.Context, hash []byte, expires time.Time) error
	JoinSession(ctx context.Context, hash []byte, clientID string) error
	RaiseSession(ctx context.Context, hash []byte) error
}

// outbox takes jobs in the transaction of ctx.
type outbox interface {
	AddJob(ctx context.Context, j store.Job) error
}

// tokens ends what was issued in a session, in the transaction of ctx; counts are of refresh token families.
type tokens interface {
	RevokeSession(ctx context.Context, sessionID string) (count int, err error)
	RevokeSessionOf(ctx context.Context, sessionID, clientID string) (count int, err error)
}

// marks are the durable notes that sessions have ended; see token.Revocations.
type marks interface {
	SignOut(ctx context.Context, sessionID string, endsAt time.Time) error
	SignedOut(sessionID string) bool
}

// settingsSource serves the settings.
type settingsSource interface {
	Current() *settings.Snapshot
}

// touchEvery is how much later the end of a session must be to be worth a write.
const touchEvery = time.Minute

// NewSessionID makes the id of a session, which clients get as the claim "sid".
func (s *Service) NewSessionID() string { return s.NewID() }

// Find returns the session of a browser. Errors: store.ErrNotFound (none, expired, or ended).
func (s *Service) Find(ctx context.Context, hash []byte) (store.BrowserSession, error) {
	b, err := s.Store.Session(ctx, hash)
	switch {
	case errors.Is(err, store.ErrExpired), err == nil && s.Marks.SignedOut(b.ID):
		return store.BrowserSession{}, store.ErrNotFound
	case err != nil:
		return store.BrowserSession{}, fmt.Errorf("find session: %w", err)
	}
	return b, nil
}

// SignedOut tells whether a session has ended before its time: what was begun in it must not go on. No round trip.
func (s *Service) SignedOut(sessionID string) bool { return s.Marks.SignedOut(sessionID) }

// Use moves the end of a session; moved tells that there was need to. Errors: store.ErrNotFound when it has ended
// meanwhile.
func (s *Service) Use(ctx context.Context, b store.BrowserSession) (used store.BrowserSession, moved bool, err error) {
	inactivity, _ := s.Settings.Current().SessionLimits()
	ends := earlier(s.Now().Add(inactivity), b.EndsAt)
	if ends.Sub(b.ExpiresAt) < min(touchEvery, inactivity/2) {
		return b, false, nil
	}
	if err := s.Store.TouchSession(ctx, b.Hash, ends); err != nil {
		return b, false, fmt.Errorf("use session: %w", err)
	}
	b.ExpiresAt = ends
	return b, true, nil
}

// Open begins a session, or goes on with former after its user has signed in again: id, browser state and clients stay
// then, and the limits begin anew. Of b everything is taken but those and the times. The hash must be new: whoever knew
// the former cookie gets nothing.
func (s *Service) Open(ctx context.Context, b store.BrowserSession, former *store.BrowserSession) (store.BrowserSession, error) {
	inactivity, maximum := s.Settings.Current().SessionLimits()
	now := s.Now()
	b.CreatedAt, b.EndsAt = now, now.Add(maximum)
	b.ExpiresAt = earlier(now.Add(inactivity), b.EndsAt)
	if former != nil {
		b.ID, b.CreatedAt, b.BrowserState, b.Clients, b.AnswerAt = former.ID, former.CreatedAt, former.BrowserState, former.Clients, former.AnswerAt
	}
	if err := s.Store.AddSession(ctx, b); err != nil {
		return b, fmt.Errorf("open session: %w", err)
	}
	if former != nil {
		if err := s.Store.EndSession(ctx, *former); err != nil {
			return b, fmt.Errorf("replace session: %w", err)
		}
	}
	return b, nil
}

// Join notes that a client gets an answer in a session. Errors: store.ErrNotFound when the session is over.
func (s *Service) Join(ctx context.Context, b store.BrowserSession, clientID string) error {
	if err := s.Store.JoinSession(ctx, b.Hash, clientID); err != nil {
		return fmt.Errorf("join session: %w", err)
	}
	return nil
}

// StepUp notes that the user of a session has typed the code of a text message: its level is raised until the user signs
// in again. Errors: store.ErrNotFound when the session is over.
func (s *Service) StepUp(ctx context.Context, b store.BrowserSession) error {
	if err := s.Store.RaiseSession(ctx, b.Hash); err != nil {
		return fmt.Errorf("step up session: %w", err)
	}
	return nil
}

// Of returns the live sessions of a user, oldest first.
func (s *Service) Of(ctx context.Context, userID string) ([]store.BrowserSession, error) {
	list, err := s.Store.SessionsOf(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("sessions of user: %w", err)
	}
	live := list[:0]
	for _, b := range list {
		if !s.Marks.SignedOut(b.ID) {
			live = append(live, b)
		}
	}
	return live, nil
}

func earlier(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}
