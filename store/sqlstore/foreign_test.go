package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

// TestForeignBytesAreStored: an event is stored whatever a request carries.
func TestForeignBytesAreStored(t *testing.T) {
	const foreign = "\xffa\x00\xc3"
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			trail := audit.NewTrail(audit.Origin{UserAgent: foreign, ClientIP: foreign, TransactionID: foreign})
			ctx := audit.WithTrail(t.Context(), trail)
			recorder := &audit.Recorder{Now: time.Now}
			err := s.InTx(ctx, func(ctx context.Context) error {
				recorder.Record(ctx, audit.DynamicRegSuccess, audit.Client(foreign), audit.User(foreign), audit.Profile(foreign),
					audit.App(foreign, foreign, foreign), audit.AppAgent(foreign), audit.Admin(foreign), audit.Detail("named", foreign),
					audit.List("scopes", []string{foreign}))
				return nil
			})
			if err != nil || trail.Mark() != 0 {
				t.Fatalf("error %v, %d events pending, want none", err, trail.Mark())
			}
		})
	}
}

// TestForeignBytesFindNothing: no row holds a text that PostgreSQL cannot hold, so asking for one finds none, and a
// transaction that asks can go on.
func TestForeignBytesFindNothing(t *testing.T) {
	for name, s := range engines(t) {
		for _, foreign := range []string{"\x00", "a\x00b", "\xff", "ann\xc3"} {
			t.Run(fmt.Sprintf("%s %q", name, foreign), func(t *testing.T) {
				for what, ask := range map[string]func(ctx context.Context) error{
					"installation": func(ctx context.Context) error { _, err := s.Installation(ctx, foreign); return err },
					"profile":      func(ctx context.Context) error { _, err := s.Profile(ctx, "c", foreign); return err },
					"account":      func(ctx context.Context) error { _, err := s.AccountByUsername(ctx, foreign); return err },
					"enrollment":   func(ctx context.Context) error { _, err := s.Enrollment(ctx, foreign); return err },
					"outcome":      func(ctx context.Context) error { _, err := s.TransactionOutcome(ctx, foreign); return err },
					"server key":   func(ctx context.Context) error { _, err := s.ServerKey(ctx, foreign); return err },
					"PIN":          func(ctx context.Context) error { _, err := s.RaisePINFailures(ctx, "c", foreign, 3); return err },
				} {
					if err := ask(t.Context()); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("%s: %v", what, err)
					}
				}
				err := s.InTx(t.Context(), func(ctx context.Context) error {
					if list, err := s.EnrollmentsOfUser(ctx, foreign); err != nil || len(list) != 0 {
						t.Errorf("list: %v, %v", list, err)
					}
					_, err := s.SettingsVersion(ctx)
					return err
				})
				if err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	}
}
