package sqlstore_test

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

// TestCloseAmongCommits: every event that was acknowledged is stored, every other caller is told so, nobody panics.
func TestCloseAmongCommits(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	s := openSealed(t, dsn, 0)
	recorder := &audit.Recorder{Now: time.Now}
	var acknowledged atomic.Int64
	var wait sync.WaitGroup
	started := make(chan struct{}, 16)
	for range 16 {
		wait.Go(func() {
			for {
				trail := audit.NewTrail(audit.Origin{})
				recorder.Record(audit.WithTrail(t.Context(), trail), audit.ConsentGiven)
				err := s.CommitEvents(t.Context(), trail.Pending())
				if errors.Is(err, store.ErrUnavailable) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged.Add(1)
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wait.Wait()
	again := openSealed(t, dsn, 0)
	n, err := again.CountEvents(t.Context(), audit.Filter{}, 1<<40)
	if err != nil || int64(n) < acknowledged.Load() {
		t.Errorf("%d events stored, %d acknowledged, %v", n, acknowledged.Load(), err)
	}
}
