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
	searches := []func(context.Context, clientauth.Client, string) (bool, error){h.revokeAccess, h.revokeRefresh}
	if hint == hintRefresh {
		searches[0], searches[1] = searches[1], searches[0]
	}
	ctx := c.Request().Context()
	for _, search := range searches {
		found, err := search(ctx, client, presented)
		if err != nil {
			return err
		}
		if found {
			return c.NoContent(http.StatusOK)
		}
	}
	miss := audit.TokenRevokeTokenInvalid
	switch hint {
	case hintAccess:
		miss = audit.TokenRevokeAccessTokenInvalid
	case hintRefresh:
		miss = audit.TokenRevokeRefreshTokenInvalid
	}
	h.Audit.Record(ctx, miss, audit.Reason("unknown"))
	return c.NoContent(http.StatusOK)
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

func (h *Handler) revokeAccess(ctx context.Context, client clientauth.Client, presented string) (bool, error) {
	t, err := h.Tokens.Verify(ctx, presented)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrRevoked):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("revoke: %w", err)
	case t.ClientID != client.ID:
		return false, revokeForeignAccess
	}
	err = h.Store.InTx(ctx, func(ctx context.Context) error {
		if err := h.Tokens.RevokeAccessToken(ctx, t); err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.TokenRevokeAccessTokenSuccess, audit.User(t.UserID), audit.Profile(t.ProfileID))
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("revoke: %w", err)
	}
	return true, nil
}

func (h *Handler) revokeRefresh(ctx context.Context, client clientauth.Client, presented string) (bool, error) {
	found := false
	err := h.Store.InTx(ctx, func(ctx context.Context) error {
		found = false
		family, err := h.Tokens.FamilyOf(ctx, presented)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if family.ClientID != client.ID {
			return revokeForeignRefresh
		}
		count, err := h.Tokens.RevokeFamily(ctx, family.ID)
		if err != nil {
			return err
		}
		found = true
		h.Audit.Record(ctx, audit.TokenRevokeRefreshTokenSuccess, audit.User(family.UserID), audit.Profile(family.ProfileID),
			audit.Count("count", count))
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("revoke: %w", err)
	}
	return found, nil
}
