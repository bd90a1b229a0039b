package oauth

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// grantFingerPrint swaps a DEFAULT refresh token for its successor and a fingerprint refresh token.
const grantFingerPrint = "urn:onewelcome:oauth2:grant_type:finger_print"

// mayExchangeFingerPrint: an installation whose application has PINs and fingerprints.
func mayExchangeFingerPrint(c clientauth.Client) bool {
	return c.Installation != nil && c.Application.UsesPIN() && c.Application.FingerprintAuthentication
}

// fingerClientFailures is how the exchange refuses clients: with a code of its own, whatever is wrong with them.
var fingerClientFailures = clientFailures{
	ambiguous: tokenClientFailures.ambiguous,
	unknown: outcome.Failure{
		Code: outcome.InvalidClient, Audit: audit.TokenRequestFingerPrintInvalidClientCredentials, Text: badClient,
	},
	wrong: outcome.Failure{
		Code: outcome.InvalidClient, Audit: audit.TokenRequestFingerPrintInvalidClientCredentials, Text: badClient,
	},
}

// How the exchange fails, besides a PIN limit (refreshLimit).
var (
	fingerNoToken = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "refresh_token is missing",
	}
	fingerNoProfile = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "profile_id is missing",
	}
	fingerInvalid = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestFingerPrintInvalidRefreshToken, Text: "the refresh token is not valid",
	}
)

// fingerPrint gives an installation whose user has just proved the PIN a refresh token for the fingerprint. It is a check
// of the PIN like every refresh: an unknown token is counted, and at the limit the profile is removed. It succeeds with
// TOKEN_REQUEST_FINGER_PRINT_TOKEN_CREATED.
func (h *Handler) fingerPrint(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	f := &refresh{tokenRequest: r, h: h, presented: r.form["refresh_token"], kind: store.DefaultToken, invalid: fingerInvalid}
	id, named := r.form["profile_id"]
	switch {
	case f.presented == "":
		return token.Issued{}, fingerNoToken.About(audit.Detail("field", "refresh_token"), audit.Detail("grant", "finger_print"))
	case !named:
		return token.Issued{}, fingerNoProfile.About(audit.Detail("field", "profile_id"), audit.Detail("grant", "finger_print"))
	case !profileIDForm(id):
		return token.Issued{}, refreshBadProfile.About(audit.Detail("profile_id", clipped(id, 32)))
	}
	f.profileID = id
	audit.Know(ctx, audit.Profile(id))
	if err := f.lookAhead(ctx); err != nil {
		return token.Issued{}, fmt.Errorf("fingerprint exchange: %w", err)
	}
	var issued token.Issued
	err := h.Store.InTx(ctx, func(ctx context.Context) error {
		issued = token.Issued{}
		check, err := h.Tokens.CheckExchange(ctx, r.client.ID, id, f.presented, r.client.Application.PINLimit())
		if err != nil {
			return err
		}
		if check.Result != token.PINRight {
			return f.fail(ctx, check)
		}
		issued, err = f.exchange(ctx, check)
		return err
	})
	if err != nil {
		var failure outcome.Failure
		if errors.As(err, &failure) {
			return token.Issued{}, failure
		}
		return token.Issued{}, fmt.Errorf("fingerprint exchange: %w", err)
	}
	return issued, nil
}

// exchange makes both tokens and records the success. For an account that has ended or is disabled the transaction rolls
// back: counter and token stay as they were.
func (f *refresh) exchange(ctx context.Context, check token.PINCheck) (token.Issued, error) {
	if check.Family.UserGone {
		return token.Issued{}, fingerInvalid.About(audit.User(check.Family.UserID), audit.Reason("account_disabled"))
	}
	scopes := check.Family.Scopes
	ahead, err := f.seen(check.Family)
	if err != nil {
		return token.Issued{}, err
	}
	if ahead != nil {
		scopes = ahead.scopes
	}
	g := baseGrant(f.settings, f.client, scopes)
	if ahead != nil {
		g.AccessClaims, g.UserDetails = ahead.extra, ahead.details
	}
	issued, err := f.h.Tokens.ExchangeFingerprint(ctx, check, g)
	if err != nil {
		return token.Issued{}, err
	}
	attrs := []audit.Attr{audit.User(check.Family.UserID), audit.Detail("family", check.Family.ID)}
	if check.Repeat {
		attrs = append(attrs, audit.Flag("repeat", true))
	}
	f.h.Audit.Record(ctx, audit.TokenRequestFingerPrintTokenCreated, attrs...)
	return issued, nil
}
