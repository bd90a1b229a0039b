package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"tokenserver/audit"
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
