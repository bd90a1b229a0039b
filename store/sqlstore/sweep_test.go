package sqlstore_test

import (
	"testing"
	"time"

	"tokenserver/store"
)

func TestSweepKeepsWhatIsInUse(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			now := time.Now().UTC().Truncate(time.Microsecond)
			for _, used := range []store.UsedCode{
				{Hash: []byte("old"), ClientID: "c", UserID: "u", UsedAt: now.Add(-25 * time.Hour)},
				{Hash: []byte("fresh"), ClientID: "c", UserID: "u", UsedAt: now},
			} {
				if err := s.MarkCodeUsed(t.Context(), used); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := s.Sweep(t.Context(), now); err != nil || n != 1 {
				t.Fatalf("%d rows swept, %v; want 1", n, err)
			}
			if _, err := s.UsedCode(t.Context(), []byte("fresh")); err != nil {
				t.Errorf("the mark of a fresh code is gone: %v", err)
			}
			if _, err := s.UsedCode(t.Context(), []byte("old")); err == nil {
				t.Error("the mark of an old code is still there")
			}
		})
	}
}
