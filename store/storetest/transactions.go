package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/store"
)

// TransactionStore is the store of authentication transactions in flight.
type TransactionStore interface {
	CreateTransaction(ctx context.Context, t store.Transaction, limit int) (int, error)
	Transaction(ctx context.Context, id string) (store.Transaction, error)
	MoveTransaction(ctx context.Context, id string, from []store.State, to store.State, change store.TransactionChange) error
	ForgetTransaction(ctx context.Context, t store.Transaction) error
	FetchTransaction(ctx context.Context, id, proof, challenge, reply string) (string, error)
	NewChallenge(ctx context.Context, id, old, next string, change store.TransactionChange) error
	CountResend(ctx context.Context, id string) (bool, error)
	ReturnResend(ctx context.Context, id string) error
	PendingOf(ctx context.Context, clientID string) ([]store.Transaction, error)
	OpenOf(ctx context.Context, enrollmentID string) ([]store.Transaction, error)
	CountOpen(ctx context.Context, clientID string) (int, error)
}

const openTransactions = 20 // of one installation

// transactionMaker makes the transactions of the suite.
type transactionMaker struct {
	newID func() string
	now   func() time.Time
}

// Transactions proves a store of authentication transactions. newID returns ids that no other test uses; now is the
// real time, which the store goes by as well.
func Transactions(t *testing.T, s TransactionStore, newID func() string, now func() time.Time) {
	m := transactionMaker{newID, now}
	t.Run("round trip", func(t *testing.T) { transactionRoundTrip(t, s, m) })
	t.Run("every pair of states", func(t *testing.T) { allTransactionMoves(t, s, m) })
	t.Run("time", func(t *testing.T) { transactionTime(t, s, m) })
	t.Run("versions", func(t *testing.T) { transactionVersions(t, s, m) })
	t.Run("one of many moves", func(t *testing.T) { oneTransactionMove(t, s, m) })
	t.Run("one of many fetches", func(t *testing.T) { oneTransactionFetch(t, s, m) })
	t.Run("repeated fetch", func(t *testing.T) { repeatedTransactionFetch(t, s, m) })
	t.Run("challenges", func(t *testing.T) { transactionChallenges(t, s, m) })
	t.Run("resends", func(t *testing.T) { transactionResends(t, s, m) })
	t.Run("forgetting", func(t *testing.T) { transactionForgetting(t, s, m) })
	t.Run("lists", func(t *testing.T) { transactionLists(t, s, m) })
	t.Run("open at most", func(t *testing.T) { transactionsOpenAtMost(t, s, m) })
}

func (m transactionMaker) sample(state store.State) store.Transaction {
	now := m.now().UTC().Truncate(time.Millisecond)
	return store.Transaction{
		ID: m.newID(), State: state, Version: 1, Type: "login", Method: store.PushWithPIN, UserID: "u-1", ProfileID: "QW4RTY",
		ClientID: m.newID(), Application: "harbour", Platform: "android", EnrollmentID: m.newID(), APIClient: "portal",
		APIVersion: 4, AnswerVersion: 2, CallbackURI: "https://portal.example.org/cb", Message: "Sign in, Zoë?",
		SecureMessage: "sealed\x00bytes", SigningData: "\xff\xfe", Language: "nl", MaxResends: 2, Resends: 1,
		Challenge: "c0", PINAttempts: 1, InvalidAnswers: 2, CreatedAt: now, FetchedAt: now, ExpiresAt: now.Add(time.Minute),
	}
}

// put creates a transaction; how many are open does not matter.
func putTransaction(t *testing.T, s TransactionStore, tx store.Transaction) store.Transaction {
	t.Helper()
	if _, err := s.CreateTransaction(t.Context(), tx, openTransactions); err != nil {
		t.Fatalf("create: %v", err)
	}
	return tx
}

func readTransaction(t *testing.T, s TransactionStore, id string) store.Transaction {
	t.Helper()
	tx, err := s.Transaction(t.Context(), id)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return tx
}

func wantTransaction(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

func wantTransactionState(t *testing.T, what string, err error, state store.State) {
	t.Helper()
	var refused store.StateError
	if !errors.As(err, &refused) || refused.State != state || !errors.Is(err, store.ErrConflict) {
		t.Errorf("%s: error %v, want a conflict with %s", what, err, state)
	}
}

func transactionRoundTrip(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Pending))
	if got := readTransaction(t, s, tx.ID); !reflect.DeepEqual(got, tx) {
		t.Errorf("read\n%+v, want\n%+v", got, tx)
	}
	_, err := s.CreateTransaction(t.Context(), tx, openTransactions)
	wantTransaction(t, "create again", err, store.ErrConflict)
	_, err = s.Transaction(t.Context(), m.newID())
	wantTransaction(t, "read unknown", err, store.ErrNotFound)
}

func transactionStates() []store.State {
	return []store.State{
		store.Created, store.Pending, store.Fetched, store.SMSSent,
		store.Authenticated, store.Rejected, store.Failed, store.Expired,
	}
}

func allTransactionMoves(t *testing.T, s TransactionStore, m transactionMaker) {
	for _, from := range transactionStates() {
		for _, to := range transactionStates() {
			tx := m.sample(from)
			if to == store.Expired {
				tx.ExpiresAt = tx.CreatedAt.Add(-time.Second)
			}
			putTransaction(t, s, tx)
			err := s.MoveTransaction(t.Context(), tx.ID, []store.State{from}, to, store.TransactionChange{})
			got := readTransaction(t, s, tx.ID)
			if from.CanMoveTo(to) {
				if err != nil || got.State != to || got.Version != tx.Version+1 {
					t.Errorf("%s to %s: error %v, then %s, version %d", from, to, err, got.State, got.Version)
				}
				continue
			}
			wantTransactionState(t, fmt.Sprintf("%s to %s", from, to), err, from)
			if got.Version != tx.Version {
				t.Errorf("%s to %s was refused and changed the record", from, to)
			}
		}
	}
	err := s.MoveTransaction(t.Context(), m.newID(), []store.State{store.Pending}, store.Fetched, store.TransactionChange{})
	wantTransaction(t, "move unknown", err, store.ErrNotFound)
	tx := putTransaction(t, s, m.sample(store.Pending))
	err = s.MoveTransaction(t.Context(), tx.ID, []store.State{store.Fetched}, store.Authenticated, store.TransactionChange{})
	wantTransactionState(t, "move from a state that it is not in", err, store.Pending)
}

func transactionTime(t *testing.T, s TransactionStore, m transactionMaker) {
	late := m.sample(store.Pending)
	late.ExpiresAt = late.CreatedAt
	putTransaction(t, s, late)
	if got := readTransaction(t, s, late.ID); got.State != store.Expired {
		t.Errorf("over: state %s, want EXPIRED", got.State)
	}
	nothing := store.TransactionChange{}
	wantTransaction(t, "fetch when over", errorOf(s.FetchTransaction(t.Context(), late.ID, "p", "c", "r")), store.ErrExpired)
	wantTransaction(t, "move when over", s.MoveTransaction(t.Context(), late.ID, []store.State{store.Pending}, store.Fetched, nothing), store.ErrExpired)
	wantTransaction(t, "resend when over", errorOf(s.CountResend(t.Context(), late.ID)), store.ErrExpired)
	if err := s.MoveTransaction(t.Context(), late.ID, []store.State{store.Pending}, store.Failed, nothing); err != nil {
		t.Errorf("a decision follows whatever the time: %v", err)
	}
	early := putTransaction(t, s, m.sample(store.Pending))
	wantTransactionState(t, "expire before the time",
		s.MoveTransaction(t.Context(), early.ID, []store.State{store.Pending}, store.Expired, nothing), store.Pending)

	// Real time passes: nothing but the record's own expiry ends it.
	soon := m.sample(store.Fetched)
	soon.ExpiresAt = soon.CreatedAt.Add(150 * time.Millisecond)
	putTransaction(t, s, soon)
	for end := m.now().Add(10 * time.Second); readTransaction(t, s, soon.ID).State != store.Expired; time.Sleep(10 * time.Millisecond) {
		if m.now().After(end) {
			t.Fatal("it never expires")
		}
	}
	wantTransaction(t, "new challenge when over", s.NewChallenge(t.Context(), soon.ID, "c0", "c1", nothing), store.ErrExpired)
}

func transactionVersions(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Created))
	from := []store.State{store.Created}
	wantTransactionState(t, "another version",
		s.MoveTransaction(t.Context(), tx.ID, from, store.Pending, store.TransactionChange{Version: 7}), store.Created)
	change := store.TransactionChange{Version: 1, Challenge: "c9", Resends: 1, PINAttempts: 2, InvalidAnswers: 3}
	if err := s.MoveTransaction(t.Context(), tx.ID, from, store.Pending, change); err != nil {
		t.Fatal(err)
	}
	tx.State, tx.Version, tx.Challenge = store.Pending, 2, "c9"
	tx.Resends, tx.PINAttempts, tx.InvalidAnswers = tx.Resends+1, tx.PINAttempts+2, tx.InvalidAnswers+3
	if got := readTransaction(t, s, tx.ID); !reflect.DeepEqual(got, tx) {
		t.Errorf("moved to\n%+v, want\n%+v", got, tx)
	}
}

func oneTransactionMove(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Fetched))
	ends := []store.State{store.Authenticated, store.Rejected, store.Failed}
	won := race(t, func(n int) error {
		return s.MoveTransaction(t.Context(), tx.ID, []store.State{store.Fetched}, ends[n%len(ends)], store.TransactionChange{})
	})
	if won != 1 {
		t.Errorf("%d racers ended the transaction", won)
	}
}

func oneTransactionFetch(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Pending))
	won := race(t, func(n int) error {
		return errorOf(s.FetchTransaction(t.Context(), tx.ID, fmt.Sprint("proof", n), "c", "r"))
	})
	if won != 1 {
		t.Errorf("%d racers fetched the transaction", won)
	}
}

func repeatedTransactionFetch(t *testing.T, s TransactionStore, m transactionMaker) {
	for _, from := range []store.State{store.Created, store.Pending} {
		tx := m.sample(from)
		tx.FetchedAt = time.Time{}
		putTransaction(t, s, tx)
		repeat, err := s.FetchTransaction(t.Context(), tx.ID, "proof", "c1", "reply")
		if err != nil || repeat != "" {
			t.Fatalf("fetch: %q, %v", repeat, err)
		}
		got := readTransaction(t, s, tx.ID)
		if got.State != store.Fetched || got.Challenge != "c1" || got.FetchedAt.IsZero() || got.Version != 2 {
			t.Errorf("fetched: %+v", got)
		}
		repeat, err = s.FetchTransaction(t.Context(), tx.ID, "proof", "c2", "other")
		if err != nil || repeat != "reply" || readTransaction(t, s, tx.ID).Challenge != "c1" {
			t.Errorf("repeat: %q, %v, want the first reply", repeat, err)
		}
		wantTransactionState(t, "another proof", errorOf(s.FetchTransaction(t.Context(), tx.ID, "proof2", "c2", "r")), store.Fetched)
	}
	tx := putTransaction(t, s, m.sample(store.Pending))
	if _, err := s.FetchTransaction(t.Context(), tx.ID, "proof", "c1", ""); err != nil {
		t.Fatal(err)
	}
	wantTransactionState(t, "a reply that was not kept", errorOf(s.FetchTransaction(t.Context(), tx.ID, "proof", "c1", "")), store.Fetched)
	wantTransaction(t, "fetch unknown", errorOf(s.FetchTransaction(t.Context(), m.newID(), "p", "c", "r")), store.ErrNotFound)
	done := putTransaction(t, s, m.sample(store.Rejected))
	wantTransactionState(t, "fetch finished", errorOf(s.FetchTransaction(t.Context(), done.ID, "p", "c", "r")), store.Rejected)
}

func transactionChallenges(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Fetched))
	won := race(t, func(n int) error {
		return s.NewChallenge(t.Context(), tx.ID, "c0", fmt.Sprint("c", n+1), store.TransactionChange{PINAttempts: 1, InvalidAnswers: 1})
	})
	got := readTransaction(t, s, tx.ID)
	if won != 1 || got.PINAttempts != tx.PINAttempts+1 || got.InvalidAnswers != tx.InvalidAnswers+1 || got.Challenge == "c0" {
		t.Errorf("%d racers used one challenge; then %+v", won, got)
	}
	waiting := putTransaction(t, s, m.sample(store.Pending))
	wantTransactionState(t, "not fetched", s.NewChallenge(t.Context(), waiting.ID, "c0", "c1", store.TransactionChange{}), store.Pending)
	wantTransaction(t, "unknown", s.NewChallenge(t.Context(), m.newID(), "c0", "c1", store.TransactionChange{}), store.ErrNotFound)
}

func transactionResends(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Pending)) // one of two is used
	var counted atomic.Int32
	race(t, func(int) error {
		ok, err := s.CountResend(t.Context(), tx.ID)
		if ok {
			counted.Add(1)
		}
		return err
	})
	if counted.Load() != 1 || readTransaction(t, s, tx.ID).Resends != 2 {
		t.Errorf("%d resends counted, %d in the record", counted.Load(), readTransaction(t, s, tx.ID).Resends)
	}
	if err := s.ReturnResend(t.Context(), tx.ID); err != nil || readTransaction(t, s, tx.ID).Resends != 1 {
		t.Errorf("returned: %v, %d in the record", err, readTransaction(t, s, tx.ID).Resends)
	}
	fetched := putTransaction(t, s, m.sample(store.Fetched))
	wantTransactionState(t, "fetched", errorOf(s.CountResend(t.Context(), fetched.ID)), store.Fetched)
	wantTransaction(t, "unknown", errorOf(s.CountResend(t.Context(), m.newID())), store.ErrNotFound)
	wantTransaction(t, "return unknown", s.ReturnResend(t.Context(), m.newID()), store.ErrNotFound)
}

func transactionForgetting(t *testing.T, s TransactionStore, m transactionMaker) {
	tx := putTransaction(t, s, m.sample(store.Created))
	if err := s.ForgetTransaction(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	_, err := s.Transaction(t.Context(), tx.ID)
	wantTransaction(t, "forgotten", err, store.ErrNotFound)
	if open, err := s.PendingOf(t.Context(), tx.ClientID); err != nil || len(open) != 0 {
		t.Errorf("%d open, %v", len(open), err)
	}
	wantTransaction(t, "forget again", s.ForgetTransaction(t.Context(), tx), store.ErrNotFound)
	fetched := putTransaction(t, s, m.sample(store.Fetched))
	wantTransactionState(t, "the phone was faster", s.ForgetTransaction(t.Context(), fetched), store.Fetched)
}

func transactionLists(t *testing.T, s TransactionStore, m transactionMaker) {
	first := m.sample(store.Pending)
	putTransaction(t, s, first)
	var all []string
	for i, state := range []store.State{store.Created, store.Fetched, store.Pending, store.Pending} {
		tx := m.sample(state)
		tx.ClientID, tx.EnrollmentID = first.ClientID, first.EnrollmentID
		tx.CreatedAt = first.CreatedAt.Add(-time.Duration(i+1) * time.Second)
		if i == 3 {
			tx.ExpiresAt = tx.CreatedAt
		}
		putTransaction(t, s, tx)
		all = append(all, tx.ID)
	}
	wantTransactions(t, "pending", transactionIDs(s.PendingOf(t.Context(), first.ClientID)), []string{all[2], all[0], first.ID})
	wantTransactions(t, "open", transactionIDs(s.OpenOf(t.Context(), first.EnrollmentID)), []string{all[2], all[1], all[0], first.ID})
	err := s.MoveTransaction(t.Context(), first.ID, []store.State{store.Pending}, store.Failed, store.TransactionChange{})
	if err != nil {
		t.Fatal(err)
	}
	wantTransactions(t, "pending after the end of one", transactionIDs(s.PendingOf(t.Context(), first.ClientID)), []string{all[2], all[0]})
	wantTransactions(t, "open after the end of one", transactionIDs(s.OpenOf(t.Context(), first.EnrollmentID)), []string{all[2], all[1], all[0]})
	if n, err := s.CountOpen(t.Context(), first.ClientID); err != nil || n != 3 {
		t.Errorf("%d open, %v, want 3 with the fetched one", n, err)
	}
	wantTransactions(t, "of nobody", transactionIDs(s.PendingOf(t.Context(), m.newID())), nil)
}

func transactionsOpenAtMost(t *testing.T, s TransactionStore, m transactionMaker) {
	client := m.newID()
	var made sync.Map
	won := race(t, func(int) error {
		tx := m.sample(store.Created)
		tx.ClientID = client
		open, err := s.CreateTransaction(t.Context(), tx, openTransactions)
		if err != nil {
			if _, gone := s.Transaction(t.Context(), tx.ID); !errors.Is(gone, store.ErrNotFound) {
				t.Errorf("a refused transaction stays: %v", gone)
			}
			return err
		}
		if other, taken := made.LoadOrStore(open, tx.ID); taken {
			t.Errorf("%d is the number of %s and of %s", open, tx.ID, other)
		}
		return nil
	})
	if won != openTransactions {
		t.Errorf("%d open transactions, want %d", won, openTransactions)
	}
	one, _ := made.Load(1)
	err := s.MoveTransaction(t.Context(), one.(string), []store.State{store.Created}, store.Failed, store.TransactionChange{})
	if err != nil {
		t.Fatal(err)
	}
	tx := m.sample(store.Created)
	tx.ClientID = client
	if open, err := s.CreateTransaction(t.Context(), tx, openTransactions); err != nil || open != openTransactions {
		t.Errorf("after one has ended: %d open, %v", open, err)
	}
}

func transactionIDs(list []store.Transaction, err error) []string {
	if err != nil {
		return []string{err.Error()}
	}
	var ids []string
	for _, tx := range list {
		ids = append(ids, tx.ID)
	}
	return ids
}

func wantTransactions(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func errorOf[T any](_ T, err error) error { return err }
