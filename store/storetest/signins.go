package storetest

import (
	"context"
	"testing"
	"time"

	"tokenserver/store"
)

// SignIns is the part of a store that keeps what must survive of the browser half: accounts, attempts, known browsers,
// consents, marks of redeemed codes.
type SignIns interface {
	InTx(ctx context.Context, f func(context.Context) error) error

	PutAccount(ctx context.Context, a store.Account) error
	Account(ctx context.Context, id string) (store.Account, error)
	AccountByUsername(ctx context.Context, username string) (store.Account, error)

	CountSignIn(ctx context.Context, subject string, now time.Time, forget time.Duration, block func(int) time.Duration) (time.Time, error)
	ForgetSignIns(ctx context.Context, subject string) error
	TakeBackSignIn(ctx context.Context, subject string, until time.Time) error
	KnowBrowser(ctx context.Context, browser []byte, userID string, now time.Time) error
	KnowsBrowser(ctx context.Context, browser []byte, userID string, since time.Time) (bool, error)

	GiveConsent(ctx context.Context, consents []store.Consent) error
	Consents(ctx context.Context, userID, clientID string) ([]store.Consent, error)
	ConsentsOfUser(ctx context.Context, userID string) ([]store.Consent, error)
	WithdrawConsent(ctx context.Context, userID, clientID string) (int64, error)

	MarkCodeUsed(ctx context.Context, c store.UsedCode) error
	NameCodeFamily(ctx context.Context, hash []byte, familyID string) error
	UsedCode(ctx context.Context, hash []byte) (store.UsedCode, error)

	CountStepUp(ctx context.Context, transactionID string, limit int, now time.Time) (tries int, err error)
	MarkStepUp(ctx context.Context, transactionID string) error
}

// TestSignIns checks accounts, the count of attempts, consents and the marks of codes.
func TestSignIns(t *testing.T, s SignIns) {
	t.Run("accounts", func(t *testing.T) { lookUpAccounts(t, s) })
	t.Run("attempts", func(t *testing.T) { countSignIns(t, s) })
	t.Run("attempts at once", func(t *testing.T) { raceSignIns(t, s) })
	t.Run("known browsers", func(t *testing.T) { knowBrowsers(t, s) })
	t.Run("consents", func(t *testing.T) { giveConsents(t, s) })
	t.Run("codes", func(t *testing.T) { markCodes(t, s) })
	t.Run("codes at once", func(t *testing.T) { raceForCode(t, s) })
	t.Run("step-up", func(t *testing.T) { countStepUps(t, s) })
	t.Run("step-up at once", func(t *testing.T) { raceStepUps(t, s) })
}

func lookUpAccounts(t *testing.T, s SignIns) {
	ctx := t.Context()
	want := store.Account{
		ID: "u-zoe", Username: "Zoë.Straße", PasswordHash: "h", Disabled: true, Attributes: store.Attributes{"name": "Zoë"},
		CreatedAt: kept, UpdatedAt: kept,
	}
	stored := want
	stored.CreatedAt, stored.UpdatedAt = moment, moment
	must(t, s.PutAccount(ctx, stored))
	got, err := s.Account(ctx, "u-zoe")
	must(t, err)
	same(t, got, want)
	for _, written := range []string{"Zoë.Straße", "zoë.strasse", "ZOE\u0308.STRASSE"} {
		got, err := s.AccountByUsername(ctx, written)
		must(t, err)
		same(t, got, want)
	}
	_, err = s.AccountByUsername(ctx, "zoe.strasse")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.Account(ctx, "U-ZOE")
	wantErr(t, err, store.ErrNotFound)
}

// two refuses after two attempts, for a minute.
func two(attempts int) time.Duration {
	if attempts < 2 {
		return 0
	}
	return time.Minute
}

func countSignIns(t *testing.T, s SignIns) {
	ctx := t.Context()
	count := func(subject string, after time.Duration) (time.Time, error) {
		var until time.Time
		err := s.InTx(ctx, func(ctx context.Context) error {
			var err error
			until, err = s.CountSignIn(ctx, subject, kept.Add(after), time.Hour, two)
			return err
		})
		return until, err
	}
	until, err := count("a", 0)
	must(t, err)
	same(t, until, time.Time{})
	until, err = count("a", time.Second)
	must(t, err)
	same(t, until, kept.Add(61*time.Second))
	until, err = count("a", 60*time.Second)
	wantErr(t, err, store.ErrConflict)
	same(t, until, kept.Add(61*time.Second))
	_, err = count("b", time.Second)
	must(t, err)

	until, err = count("a", 61*time.Second) // the third
	must(t, err)
	must(t, s.TakeBackSignIn(ctx, "a", until))
	until, err = count("a", 62*time.Second) // the third again
	must(t, err)
	same(t, until, kept.Add(122*time.Second))
	must(t, s.TakeBackSignIn(ctx, "a", kept)) // of a refusal that another attempt has replaced
	_, err = count("a", 63*time.Second)
	wantErr(t, err, store.ErrConflict)

	must(t, s.ForgetSignIns(ctx, "a"))
	until, err = count("a", 64*time.Second)
	must(t, err)
	same(t, until, time.Time{})
	until, err = count("a", 64*time.Second+2*time.Hour) // after a long pause the first again
	must(t, err)
	same(t, until, time.Time{})
}

func raceSignIns(t *testing.T, s SignIns) {
	won := race(t, func(int) error {
		return s.InTx(t.Context(), func(ctx context.Context) error {
			_, err := s.CountSignIn(ctx, "race", kept, time.Hour, two)
			return err
		})
	})
	same(t, won, 2)
}

func knowBrowsers(t *testing.T, s SignIns) {
	ctx := t.Context()
	browser := []byte{0, 1, 255}
	must(t, s.KnowBrowser(ctx, browser, "ann", moment))
	must(t, s.KnowBrowser(ctx, browser, "bob", kept.Add(-time.Hour)))
	must(t, s.KnowBrowser(ctx, browser, "bob", kept))
	for _, tc := range []struct {
		browser []byte
		user    string
		since   time.Time
		want    bool
	}{
		{browser, "ann", kept, true},
		{browser, "bob", kept, true},
		{browser, "ann", kept.Add(time.Second), false},
		{browser, "eve", time.Time{}, false},
		{browser, "", time.Time{}, false},
		{[]byte{0, 1}, "ann", time.Time{}, false},
	} {
		knows, err := s.KnowsBrowser(ctx, tc.browser, tc.user, tc.since)
		must(t, err)
		same(t, knows, tc.want)
	}
}

func giveConsents(t *testing.T, s SignIns) {
	ctx := t.Context()
	give := func(user, client, scope string, at time.Time) store.Consent {
		t.Helper()
		must(t, s.GiveConsent(ctx, []store.Consent{{UserID: user, ClientID: client, Scope: scope, GivenAt: at}}))
		return store.Consent{UserID: user, ClientID: client, Scope: scope, GivenAt: at.UTC().Truncate(time.Microsecond)}
	}
	must(t, s.GiveConsent(ctx, nil))
	give("ann", "c1", "write", kept)
	write := give("ann", "c1", "write", moment.Add(time.Hour)) // renewed
	read := give("ann", "c1", "read", moment)
	other := give("ann", "c2", "read", moment)
	give("bob", "c1", "read", moment)

	list, err := s.Consents(ctx, "ann", "c1")
	must(t, err)
	same(t, list, []store.Consent{read, write})
	list, err = s.ConsentsOfUser(ctx, "ann")
	must(t, err)
	same(t, list, []store.Consent{read, write, other})
	n, err := s.WithdrawConsent(ctx, "ann", "c1")
	must(t, err)
	same(t, n, int64(2))
	n, err = s.WithdrawConsent(ctx, "ann", "c1")
	must(t, err)
	same(t, n, int64(0))
	list, err = s.ConsentsOfUser(ctx, "ann")
	must(t, err)
	same(t, list, []store.Consent{other})
}

func markCodes(t *testing.T, s SignIns) {
	ctx := t.Context()
	used := store.UsedCode{Hash: []byte{0, 7, 255}, ClientID: "c", UserID: "ann", UsedAt: kept}
	_, err := s.UsedCode(ctx, used.Hash)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.MarkCodeUsed(ctx, used))
	wantErr(t, s.MarkCodeUsed(ctx, used), store.ErrConflict)
	must(t, s.NameCodeFamily(ctx, used.Hash, "family"))
	got, err := s.UsedCode(ctx, used.Hash)
	must(t, err)
	used.FamilyID = "family"
	same(t, got, used)
}

// raceForCode: whoever loses finds what the winner has committed.
func raceForCode(t *testing.T, s SignIns) {
	hash := []byte("race")
	won := race(t, func(int) error {
		return s.InTx(t.Context(), func(ctx context.Context) error {
			err := s.MarkCodeUsed(ctx, store.UsedCode{Hash: hash, ClientID: "c", UserID: "ann", UsedAt: kept})
			if err == nil {
				return s.NameCodeFamily(ctx, hash, "winner")
			}
			if used, err := s.UsedCode(ctx, hash); err != nil || used.FamilyID != "winner" {
				t.Errorf("a loser finds %+v, %v", used, err)
			}
			return err
		})
	})
	same(t, won, 1)
}
