package sqlstore_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/store/sqlstore"
)

func TestSilencedEventsAreNotStored(t *testing.T) {
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{
		DSN: "sqlite:" + filepath.Join(t.TempDir(), "store.db"), Silenced: []audit.Code{audit.APIAccessGranted},
	}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	recorder := &audit.Recorder{Now: time.Now}
	trail := audit.NewTrail(audit.Origin{})
	ctx := audit.WithTrail(t.Context(), trail)
	recorder.Record(ctx, audit.APIAccessGranted)
	recorder.Record(ctx, audit.PushAuthInitialized)
	recorder.Record(ctx, audit.APIAccessGranted)
	if err := s.CommitEvents(ctx, trail.Pending()); err != nil {
		t.Fatal(err)
	}
	if err := s.CommitEvents(ctx, trail.Pending()[:1]); err != nil {
		t.Fatal(err)
	}
	want := []audit.Code{audit.APIAccessGranted, audit.PushAuthInitialized, audit.APIAccessGranted}
	if got := trail.Codes(); !slices.Equal(got, want) {
		t.Errorf("the trail has %q, want %q: metrics and the access log still tell of silenced events", got, want)
	}
	n, err := sqlstore.StoredEvents(ctx, s)
	if err != nil || n != 1 {
		t.Errorf("%d events are stored (%v), want 1", n, err)
	}
}
