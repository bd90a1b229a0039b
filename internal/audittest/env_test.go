package audittest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/store"
)

func TestCodesAreWhatWasStored(t *testing.T) {
	env := audittest.New(t)
	h := env.Handler(func(g *echo.Group) {
		g.POST("/both", func(c echo.Context) error {
			ctx := c.Request().Context()
			env.Recorder.Record(ctx, audit.APIAccessGranted)
			if err := env.Store.InTx(ctx, func(ctx context.Context) error {
				env.Recorder.Record(ctx, audit.DynamicRegSuccess, audit.Client("C1"))
				return nil
			}); err != nil {
				return err
			}
			env.Recorder.Record(ctx, audit.TokenRevokeAccessTokenSuccess)
			return c.NoContent(http.StatusNoContent)
		})
	})
	if got := audittest.Do(t, h, audittest.Request{Path: "/oauth/both"}); got.Status != http.StatusNoContent {
		t.Fatalf("got %+v", got)
	}
	want := []audit.Code{audit.APIAccessGranted, audit.DynamicRegSuccess, audit.TokenRevokeAccessTokenSuccess}
	if got := env.Codes(t); !slices.Equal(got, want) {
		t.Fatalf("codes %v, want %v", got, want)
	}
	if got := env.Codes(t); len(got) != 0 {
		t.Fatalf("second look: %v, want none", got)
	}
	env.BreakCommits(errors.New("disk full"))
	if got := audittest.Do(t, h, audittest.Request{Path: "/oauth/both"}); got.Status != http.StatusServiceUnavailable {
		t.Fatalf("broken commit: %+v, want 503", got)
	}
}

func TestClockMovesRedis(t *testing.T) {
	env := audittest.New(t)
	claim := func() error {
		_, err := env.Redis.ClaimOnce(t.Context(), "test", "a", "", env.Now().Add(time.Minute))
		return err
	}
	if err := claim(); err != nil {
		t.Fatal(err)
	}
	env.Clock.Advance(59 * time.Second)
	if err := claim(); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("after 59 s: %v, want a conflict", err)
	}
	env.Clock.Advance(2 * time.Second)
	if err := claim(); err != nil {
		t.Fatalf("after 61 s: %v", err)
	}
}
