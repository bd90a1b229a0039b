package pushauth

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How pending fails. The catalogue has no code for this list, so neither success nor failure is recorded, except that
// the whole feature is off.
var (
	pendingDisabled   = deviceDisabled(audit.PushAuthFetchFailedInvalidTransaction)
	pendingBadToken   = outcome.Failure{Code: outcome.InvalidToken, Text: "the access token of the installation is missing or not usable"}
	pendingBadRequest = outcome.Failure{Code: outcome.InvalidRequest, Text: "the body is not an empty object"}
)

// pendingTransaction is one member of the list.
type pendingTransaction struct {
	TransactionID string `json:"transaction_id"`
	ProfileID     string `json:"profile_id"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`    // milliseconds
	TimeToLive    int64  `json:"time_to_live"` // seconds left
}

// pending lists the open push transactions of an installation that were not fetched yet, of all its users.
func (d *Device) pending(c echo.Context) error {
	ctx, s := c.Request().Context(), d.Settings.Current()
	if !s.MobileAuthenticationOn() {
		return pendingDisabled
	}
	t, err := d.Tokens.Verify(ctx, web.BearerToken(c))
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrRevoked):
		return pendingBadToken.Because(err)
	case err != nil:
		return fmt.Errorf("verify access token: %w", err)
	case t.Kind != store.ClientToken:
		return pendingBadToken
	}
	audit.Know(ctx, audit.Client(t.ClientID))
	i, err := d.Installations.Installation(ctx, t.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return pendingBadToken
	case err != nil:
		return fmt.Errorf("installation of a token: %w", err)
	}
	if err := d.admit(c, s, i); err != nil {
		return err
	}
	if err := web.BindJSON(c, &struct{}{}); err != nil {
		return unreadable(err, pendingBadRequest)
	}
	open, err := d.Transactions.PendingOf(ctx, t.ClientID)
	if err != nil {
		return err
	}
	list, now := make([]pendingTransaction, 0, len(open)), d.Now()
	for _, t := range open {
		list = append(list, pendingTransaction{
			TransactionID: t.ID, ProfileID: t.ProfileID, Message: t.Message, Timestamp: t.CreatedAt.UnixMilli(),
			TimeToLive: int64(t.ExpiresAt.Sub(now) / time.Second),
		})
	}
	return web.JSON(c, http.StatusOK, map[string]any{"transactions": list})
}
