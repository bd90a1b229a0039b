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

// The values of token_type_hint (RFC 7009 §2.1); others are ignored.
const (
	hintAccess  = "access_token"
	hintRefresh = "refresh_token"
)

// How the revocation endpoints refuse clients.
var revokeClientFailures = clientFailures{
	ambiguous: outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRevokeClientInvalid,
		Text: "use one way to authenticate the client",
	},
	unknown: outcome.Failure{Code: outcome.InvalidClient, Audit: audit.TokenRevokeClientInvalid, Text: badClient},
	wrong:   outcome.Failure{Code: outcome.InvalidClient, Audit: audit.TokenRevokeClientInvalid, Text: badClient},
}

// How revoke fails. A token that is not there is no failure of the call (RFC 7009 §2.2): 200 with the code of a miss.
var (
	revokeMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRevokeTokenInvalid,
		Text: "the request must be one form without repeated parameters and without a query",
	}
	revokeMissing = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRevokeTokenInvalid,
		Text: "token is missing", Attrs: []audit.Attr{audit.Reason("missing")},
	}
	revokeForeignAccess = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.TokenRevokeAccessTokenInvalid,
		Text: "the token belongs to another client", Attrs: []audit.Attr{audit.Reason("foreign")},
	}
	revokeForeignRefresh = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.TokenRevokeRefreshTokenInvalid,
		Text: "the token belongs to another client", Attrs: []audit.Attr{audit.Reason("foreign")},
	}
)

// finding is what the search for an access token ended with.
type finding int

const (
	unknown finding = iota
	over            // expired or revoked: nothing to do
	revoked
)

// revoke ends one token (RFC 7009): an access token alone, a refresh token with the access tokens made from it. Both
// stores are searched; the hint decides where first, and which code a miss writes. It succeeds with
// TOKEN_REVOKE_ACCESS_TOKEN_SUCCESS or TOKEN_REVOKE_REFRESH_TOKEN_SUCCESS.
func (h *Handler) revoke(c echo.Context) error {
	form, client, err := h.revoker(c)
	if err != nil {
		return err
	}
	presented, hint := form["token"], form["token_type_hint"]
	if presented == "" {
		return revokeMissing
	}
	ctx := c.Request().Context()
	if client.Installation != nil {
		return h.revokeByApp(c, form, client)
	}
	access := func() (bool, error) {
		what, err := h.revokeAccess(ctx, client, presented)
		return what == revoked, err
	}
	refresh := func() (bool, error) { return h.revokeRefresh(ctx, client, presented) }
	searches := []func() (bool, error){access, refresh}
	if hint == hintRefresh {
		searches = []func() (bool, error){refresh, access}
	}
	for _, search := range searches {
		found, err := search()
		if err != nil {
			return err
		}
		if found {
			return c.NoContent(http.StatusOK)
		}
	}
	h.Audit.Record(ctx, missed(hint), audit.Reason("unknown"))
	return c.NoContent(http.StatusOK)
}

// missed is the code of a token that is not there.
func missed(hint string) audit.Code {
	switch hint {
	case hintAccess:
		return audit.TokenRevokeAccessTokenInvalid
	case hintRefresh:
		return audit.TokenRevokeRefreshTokenInvalid
	}
	return audit.TokenRevokeTokenInvalid
}

// revoker reads the form of a revocation and authenticates its client. A disabled app version may still sign off.
func (h *Handler) revoker(c echo.Context) (web.Form, clientauth.Client, error) {
	form, err := web.BindForm(c)
	if err != nil {
		return nil, clientauth.Client{}, revokeMalformed.Because(err)
	}
	client, err := h.authenticate(c, h.Settings.Current(), form, revokeClientFailures)
	if err != nil {
		return nil, clientauth.Client{}, err
	}
	return form, client, sameProtocol(c, client)
}

// revokeAccess ends an access token of the client.
func (h *Handler) revokeAccess(ctx context.Context, client clientauth.Client, presented string) (finding, error) {
	t, err := h.Tokens.Verify(ctx, presented)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return unknown, nil
	case errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrRevoked):
		return over, nil
	case err != nil:
		return unknown, fmt.Errorf("revoke: %w", err)
	case t.ClientID != client.ID:
		return unknown, revokeForeignAccess
	}
	err = h.Store.InTx(ctx, func(ctx context.Context) error {
		if err := h.Tokens.RevokeAccessToken(ctx, t); err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.TokenRevokeAccessTokenSuccess, audit.User(t.UserID), audit.Profile(t.ProfileID))
		return nil
	})
	if err != nil {
		return unknown, fmt.Errorf("revoke: %w", err)
	}
	return revoked, nil
}

// revokeRefresh ends the family of a refresh token that no PIN protects: of a web client, or for the fingerprint. The
// tokens of an installation are unknown to every other client, and its DEFAULT one is not looked at here at all: whoever
// is told about it, or can measure how long that takes, can test a PIN.
func (h *Handler) revokeRefresh(ctx context.Context, client clientauth.Client, presented string) (bool, error) {
	found := false
	err := h.Store.InTx(ctx, func(ctx context.Context) error {
		found = false
		family, err := h.Tokens.FamilyOf(ctx, presented)
		if errors.Is(err, store.ErrNotFound) && client.Installation != nil {
			family, err = h.Tokens.FingerprintFamilyOf(ctx, client.ID, presented)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if family.ClientID != client.ID {
			return revokeForeignRefresh
		}
		found = true
		return h.endFamily(ctx, family)
	})
	if err != nil {
		return false, fmt.Errorf("revoke: %w", err)
	}
	return found, nil
}

// endFamily revokes in the transaction of ctx and records the success.
func (h *Handler) endFamily(ctx context.Context, family store.TokenFamily, more ...audit.Attr) error {
	count, err := h.Tokens.RevokeFamily(ctx, family.ID)
	if err != nil {
		return err
	}
	attrs := append([]audit.Attr{audit.User(family.UserID), audit.Profile(family.ProfileID), audit.Count("count", count)}, more...)
	h.Audit.Record(ctx, audit.TokenRevokeRefreshTokenSuccess, attrs...)
	return nil
}
