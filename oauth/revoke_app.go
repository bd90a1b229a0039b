package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// revokeByApp is revoke for an installation. Its DEFAULT refresh tokens are covered with a PIN, so a token that is
// found nowhere else is a guess, compared and counted as at the token endpoint; the answer is the same for a right one
// and a wrong one. With the hint access_token nothing is compared, and so nothing counted: the access token of a sign-off
// may long be forgotten.
func (h *Handler) revokeByApp(c echo.Context, form web.Form, client clientauth.Client) error {
	ctx, presented, hint := c.Request().Context(), form["token"], form["token_type_hint"]
	what, err := h.revokeAccess(ctx, client, presented)
	found := what != unknown
	if err == nil && !found {
		found, err = h.revokeRefresh(ctx, client, presented)
		if found {
			what = revoked
		}
	}
	switch {
	case err != nil:
		return err
	case !found && hint != hintAccess:
		return h.revokeByPIN(c, form, client)
	case what != revoked:
		h.Audit.Record(ctx, missed(hint), audit.Reason("unknown"))
	}
	return c.NoContent(http.StatusOK)
}

// revokeByPIN takes the token for the DEFAULT refresh token of a profile. A wrong one is counted, and at the limit the
// profile is removed: the code of the miss, then TOKEN_REQUEST_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED.
func (h *Handler) revokeByPIN(c echo.Context, form web.Form, client clientauth.Client) error {
	ctx := c.Request().Context()
	profileID, err := h.guessed(ctx, client, form)
	if err != nil {
		return err
	}
	err = h.Store.InTx(ctx, func(ctx context.Context) error {
		limit := client.Application.PINLimit()
		check, err := h.Tokens.CheckPIN(ctx, client.ID, profileID, form["token"], limit)
		if err != nil {
			return err
		}
		switch check.Result {
		case token.PINRight:
			return h.endFamily(ctx, check.Family)
		case token.PINReused, token.PINExpired, token.PINNoAccount:
			return h.endFamily(ctx, check.Family, audit.Reason(string(check.Result)))
		case token.PINWrong, token.PINLimit, token.PINNoToken:
		}
		about := []audit.Attr{audit.Profile(profileID)}
		if user := check.Family.UserID; user != "" {
			about = append(about, audit.User(user))
		}
		h.Audit.Record(ctx, missed(form["token_type_hint"]), append(about, audit.Reason("unknown"),
			audit.Count("attempts", check.Used), audit.Count("length", len(form["token"])))...)
		if check.Result != token.PINLimit {
			return nil
		}
		err = h.Profiles.RemoveProfile(ctx, client.ID, profileID, "")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("remove profile at the PIN limit: %w", err)
		}
		h.Audit.Record(ctx, audit.TokenRequestRefreshTokenRetryCountExceeded, append(about, audit.Count("limit", limit))...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return c.NoContent(http.StatusOK)
}

// guessed is the profile that a wrong token is counted for: the one that the form names, else the only one. Among
// several nothing can be counted, so nothing is compared. "" = the installation has none.
func (h *Handler) guessed(ctx context.Context, client clientauth.Client, form web.Form) (string, error) {
	if id, given := form["profile_id"]; given {
		if !profileIDForm(id) {
			return "", revokeBadProfile
		}
		return id, nil
	}
	list, err := h.Users.ProfilesOf(ctx, client.ID)
	switch {
	case err != nil:
		return "", fmt.Errorf("revoke: %w", err)
	case len(list) == 0:
		return "", nil
	case len(list) > 1:
		return "", revokeBadProfile
	}
	return list[0].ProfileID, nil
}
