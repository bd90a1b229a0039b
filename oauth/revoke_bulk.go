package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the bulk revocations of an installation fail, besides those of revoke.
var (
	revokeNotAnApp = outcome.Failure{
		Code: outcome.InvalidClient, Audit: audit.TokenRevokeClientInvalid, Text: badClient,
		Attrs: []audit.Attr{audit.Reason("not_an_installation")},
	}
	revokeBadProfile = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRevokeTokenInvalid,
		Text: "profile_id is missing or malformed", Attrs: []audit.Attr{audit.Reason("profile")},
	}
	revokeBadType = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRevokeTokenInvalid,
		Text: "token_type must be FINGER_PRINT or absent", Attrs: []audit.Attr{audit.Reason("token_type")},
	}
)

// installationRevoker is revoker for the calls that only installations make.
func (h *Handler) installationRevoker(c echo.Context) (web.Form, clientauth.Client, error) {
	form, client, err := h.revoker(c)
	switch {
	case err != nil:
		return nil, client, err
	case client.Installation == nil:
		return nil, client, revokeNotAnApp
	}
	if kind := form["token_type"]; kind != "" && kind != string(store.FingerprintToken) {
		return nil, client, revokeBadType
	}
	return form, client, nil
}

// revokeClient ends every token of the installation, or with token_type=FINGER_PRINT its fingerprint tokens. It succeeds
// with TOKEN_REVOKE_CLIENT_TOKENS_SUCCESS or TOKEN_REVOKE_CLIENT_FINGER_PRINT_TOKENS_SUCCESS, also when there was none.
func (h *Handler) revokeClient(c echo.Context) error {
	form, client, err := h.installationRevoker(c)
	if err != nil {
		return err
	}
	return h.ending(c, func(ctx context.Context) error {
		if form["token_type"] != "" {
			count, err := h.Tokens.RevokeKind(ctx, client.ID, "", store.FingerprintToken)
			h.Audit.Record(ctx, audit.TokenRevokeClientFingerPrintTokensSuccess, audit.Count("count", count))
			return err
		}
		count, err := h.Tokens.RevokeClient(ctx, client.ID)
		h.Audit.Record(ctx, audit.TokenRevokeClientTokensSuccess, audit.Count("count", count))
		return err
	})
}

// revokeProfile deregisters a user: tokens, authenticators, enrollment and the profile itself. It succeeds with
// TOKEN_REVOKE_PROFILE_SUCCESS; an unknown profile is 200 without an event.
func (h *Handler) revokeProfile(c echo.Context) error {
	form, client, err := h.installationRevoker(c)
	if err != nil {
		return err
	}
	profile, err := h.named(c, client, form)
	if err != nil || profile == nil {
		return h.nothing(c, err)
	}
	return h.ending(c, func(ctx context.Context) error {
		// The profile before its tokens, as everywhere: the other order could deadlock with a refresh.
		_, err := h.Book.LockProfile(ctx, client.ID, profile.ProfileID)
		if errors.Is(err, store.ErrNotFound) { // another request was faster
			return nil
		}
		if err != nil {
			return err
		}
		count, err := h.Tokens.RevokeProfile(ctx, client.ID, profile.ProfileID)
		if err != nil {
			return err
		}
		err = h.Profiles.RemoveProfile(ctx, client.ID, profile.ProfileID, "")
		h.Audit.Record(ctx, audit.TokenRevokeProfileSuccess, audit.User(profile.UserID), audit.Profile(profile.ProfileID),
			audit.Count("count", count))
		return err
	})
}

// revokeProfileTokens ends the tokens of a profile, or with token_type=FINGER_PRINT its fingerprint tokens; the profile
// stays. It succeeds with TOKEN_REVOKE_PROFILE_TOKENS_SUCCESS or TOKEN_REVOKE_PROFILE_FINGER_PRINT_TOKENS_SUCCESS.
func (h *Handler) revokeProfileTokens(c echo.Context) error {
	form, client, err := h.installationRevoker(c)
	if err != nil {
		return err
	}
	profile, err := h.named(c, client, form)
	if err != nil || profile == nil {
		return h.nothing(c, err)
	}
	about := []audit.Attr{audit.User(profile.UserID), audit.Profile(profile.ProfileID)}
	return h.ending(c, func(ctx context.Context) error {
		if form["token_type"] != "" {
			count, err := h.Tokens.RevokeKind(ctx, client.ID, profile.ProfileID, store.FingerprintToken)
			h.Audit.Record(ctx, audit.TokenRevokeProfileFingerPrintTokensSuccess, append(about, audit.Count("count", count))...)
			return err
		}
		count, err := h.Tokens.RevokeProfile(ctx, client.ID, profile.ProfileID)
		h.Audit.Record(ctx, audit.TokenRevokeProfileTokensSuccess, append(about, audit.Count("count", count))...)
		return err
	})
}

// named returns the profile that the form names, nil when there is no such profile.
func (h *Handler) named(c echo.Context, client clientauth.Client, form web.Form) (*store.Profile, error) {
	if !profileIDForm(form["profile_id"]) {
		return nil, revokeBadProfile
	}
	profile, err := h.Users.Profile(c.Request().Context(), client.ID, form["profile_id"])
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // nothing to revoke is no failure
	}
	if err != nil {
		return nil, fmt.Errorf("revoke: %w", err)
	}
	return &profile, nil
}

func (h *Handler) nothing(c echo.Context, err error) error {
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// ending runs a revocation in one transaction with its event and answers 200 without a body.
func (h *Handler) ending(c echo.Context, f func(context.Context) error) error {
	if err := h.Store.InTx(c.Request().Context(), f); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return c.NoContent(http.StatusOK)
}
