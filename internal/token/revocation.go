package token

import (
	"context"
	"fmt"
	"time"

	"tokenserver/store"
)

// Families and single tokens never come back: their revocation needs no time. Clients, profiles and users go on, and
// get new tokens. There a revocation covers what was issued until drift after it by the clock of its process, so that a
// token of a process whose clock is ahead is covered too. A token that is issued afterwards keeps the newest revocations
// of its subjects that it came after, so it is good at once. Each revocation of a subject reaches further than those
// that its process knows of.
//
// What remains: a process learns what another one revoked by a hint, at the latest with the next poll. A token that it
// issues before is taken for an older one, and its owner signs in once more.

// forever is the moment of subjects that never come back.
const forever = int64(1) << 62

func clientSubject(clientID string) string { return "client:" + clientID }

func userSubject(userID string) string { return "user:" + userID }

func profileSubject(clientID, profileID string) string {
	return "profile:" + clientID + "/" + profileID
}

func sessionSubject(sessionID string) string { return "session:" + sessionID }

// sessionOfClient is the tokens that one client got in a session.
func sessionOfClient(sessionID, clientID string) string {
	return "session:" + sessionID + "/" + clientID
}

// signedOut is a browser session itself: it is no subject of tokens, which may outlive it.
func signedOut(sessionID string) string { return "signed-out:" + sessionID }

// SignOut notes, in the transaction of ctx, that a browser session has ended. The note is kept until the session would
// have ended by itself.
func (r *Revocations) SignOut(ctx context.Context, sessionID string, endsAt time.Time) error {
	return r.addUntil(ctx, endsAt.Add(drift), store.Revocation{Subject: signedOut(sessionID), Before: time.UnixMicro(forever)})
}

// SignedOut tells whether a browser session has ended before its time. No round trip.
func (r *Revocations) SignedOut(sessionID string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ended := r.before[signedOut(sessionID)]
	return ended
}

// end revokes, in the transaction of ctx, every token of a subject that goes on.
func (r *Revocations) end(ctx context.Context, subject string) error {
	before := max(r.Now().Add(drift).UnixMicro(), r.newest(ctx, subject)+1)
	return r.add(ctx, store.Revocation{Subject: subject, Before: time.UnixMicro(before)})
}

// endForever revokes subjects that never come back.
func (r *Revocations) endForever(ctx context.Context, subjects ...string) error {
	rows := make([]store.Revocation, 0, len(subjects))
	for _, subject := range subjects {
		rows = append(rows, store.Revocation{Subject: subject, Before: time.UnixMicro(forever)})
	}
	return r.add(ctx, rows...)
}

// pendingKey is where a transaction notes what it revokes: map[string]int64, as in Revocations.before. What is issued in
// the same transaction comes after it.
type pendingKey struct{}

// add writes revocations in the transaction of ctx. This process obeys them from the commit on, the others within a
// second.
func (r *Revocations) add(ctx context.Context, rows ...store.Revocation) error {
	return r.addUntil(ctx, r.Now().Add(keepFor), rows...)
}

func (r *Revocations) addUntil(ctx context.Context, until time.Time, rows ...store.Revocation) error {
	if len(rows) == 0 {
		return nil
	}
	if err := r.Store.AddRevocations(ctx, rows, until); err != nil {
		return fmt.Errorf("add revocations: %w", err)
	}
	pending, _ := store.Noted(ctx, pendingKey{}).(map[string]int64)
	if pending == nil {
		pending = map[string]int64{}
		store.Note(ctx, pendingKey{}, pending)
	}
	for _, row := range rows {
		put(pending, row)
	}
	store.AfterCommit(ctx, func(ctx context.Context) {
		r.learn(rows)
		_ = r.Hints.Hint(ctx, hintTopic) // lost: the others poll within a second
	})
	return nil
}

// newest returns until when a subject is revoked, as far as this process and the transaction of ctx know; 0 = it is not.
func (r *Revocations) newest(ctx context.Context, subject string) int64 {
	pending, _ := store.Noted(ctx, pendingKey{}).(map[string]int64)
	r.mu.RLock()
	defer r.mu.RUnlock()
	return max(r.before[subject], pending[subject])
}

// outlived returns the revocations that a token comes after which is issued now.
func (r *Revocations) outlived(ctx context.Context, t *store.AccessToken) store.Outlived {
	after := func(subject string) time.Time {
		if at := r.newest(ctx, subject); at >= t.IssuedAt.UnixMicro() {
			return time.UnixMicro(at).UTC()
		}
		return time.Time{}
	}
	o := store.Outlived{Client: after(clientSubject(t.ClientID))}
	if t.UserID != "" {
		o.User = after(userSubject(t.UserID))
	}
	if t.ProfileID != "" && t.ProfileID != StaticProfile {
		o.Profile = after(profileSubject(t.ClientID, t.ProfileID))
	}
	return o
}

// Cover tells whether a token was revoked. No round trip.
func (r *Revocations) Cover(t *store.AccessToken) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.before) == 0 {
		return false
	}
	issued := t.IssuedAt.UnixMicro()
	var space [192]byte
	covered := func(outlived time.Time, parts ...string) bool {
		key := space[:0]
		for _, part := range parts {
			key = append(key, part...)
		}
		before, found := r.before[string(key)]
		return found && issued <= before && (outlived.IsZero() || outlived.UnixMicro() < before)
	}
	never := time.Time{}
	ofSession := t.SessionID != "" &&
		(covered(never, "session:", t.SessionID) || covered(never, "session:", t.SessionID, "/", t.ClientID))
	return covered(never, "token:", t.ID) || ofSession || covered(t.Outlived.Client, "client:", t.ClientID) ||
		t.FamilyID != "" && covered(never, "family:", t.FamilyID) ||
		t.UserID != "" && covered(t.Outlived.User, "user:", t.UserID) ||
		t.ProfileID != "" && t.ProfileID != StaticProfile && covered(t.Outlived.Profile, "profile:", t.ClientID, "/", t.ProfileID)
}
