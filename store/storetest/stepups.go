package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"tokenserver/store"
)

func countStepUps(t *testing.T, s SignIns) {
	ctx := t.Context()
	for want := 1; want <= 3; want++ {
		tries, err := s.CountStepUp(ctx, "su-1", 3, moment)
		must(t, err)
		same(t, tries, want)
	}
	_, err := s.CountStepUp(ctx, "su-1", 3, moment)
	wantErr(t, err, store.ErrConflict)

	_, err = s.CountStepUp(ctx, "su-2", 3, moment)
	must(t, err)
	must(t, s.MarkStepUp(ctx, "su-2"))
	wantErr(t, s.MarkStepUp(ctx, "su-2"), store.ErrConflict)
	_, err = s.CountStepUp(ctx, "su-2", 3, moment)
	wantErr(t, err, store.ErrConflict)
	wantErr(t, s.MarkStepUp(ctx, "su-unknown"), store.ErrConflict)
}

// raceStepUps: of many tries at once only as many count as are allowed, and one can be the right one.
func raceStepUps(t *testing.T, s SignIns) {
	var counted, right atomic.Int64
	var group sync.WaitGroup
	for range 30 {
		group.Go(func() {
			err := s.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := s.CountStepUp(ctx, "su-race", 3, moment); err != nil {
					return err
				}
				counted.Add(1)
				return nil
			})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
			err = s.MarkStepUp(t.Context(), "su-race")
			if err == nil {
				right.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if right.Load() != 1 || counted.Load() < 1 || counted.Load() > 3 {
		t.Errorf("%d tries counted, %d were right; want at most 3 and one", counted.Load(), right.Load())
	}
}
