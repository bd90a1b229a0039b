package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// mayRefresh: an installation whose application uses PINs, a web client that gets refresh tokens.
func mayRefresh(c clientauth.Client) bool {
	if c.Installation != nil {
		return c.Application.UsesPIN()
	}
	return c.Web != nil && c.Web.RefreshTokenEnabled
}

// How refreshToken fails. A fingerprint token that is expired, rotated out or gone fails with the code of every refresh
// token: TOKEN_REQUEST_FINGER_PRINT_INVALID_REFRESH_TOKEN tells that fingerprint could not be set up, which is the exchange.
var (
	refreshNoToken = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "refresh_token is missing",
	}
	refreshBadKind = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "refresh_token_type must be DEFAULT or FINGER_PRINT",
	}
	refreshBadProfile = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalidProfileID,
		Text: "profile_id is missing or malformed",
	}
	refreshInvalid = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidRefreshToken,
		Text: "the refresh token is not valid",
	}
	refreshLimit = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestRefreshTokenRetryCountExceeded,
		Text: "too many wrong refresh tokens, the profile has been removed",
	}
	refreshFingerLimit = outcome.Failure{
		Code:  outcome.InvalidGrant,
		Audit: audit.TokenRequestFingerPrintRefreshTokenRetryCountExceeded,
		Text:  "the fingerprint refresh token is wrong, the fingerprint tokens have been removed",
	}
	idTokenFailed = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.AuthorizationFailedUnableToGenerateIDToken,
		Text: "the ID token cannot be made",
	}
)

// refresh is one refresh request, sorted out.
type refresh struct {
	*tokenRequest
	h         *Handler
	profileID string // of an installation
	presented string
	asked     string // the parameter "scope"; "" = what was granted
	kind      store.TokenKind
	invalid   outcome.Failure // for a token that is not right
	ahead     *foresight      // nil when nobody has to be asked, or there is nothing to ask about
	about     string          // the family that it is about
}

// refreshToken exchanges a refresh token for a new access token and its successor (RFC 6749 §6). For an installation
// it is the check of the PIN: the failure is counted before anything is compared, in the transaction that rotates or
// removes. It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED or TOKEN_REQUEST_FINGER_PRINT_ACCESS_TOKEN_REFRESHED.
func (h *Handler) refreshToken(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	f := &refresh{tokenRequest: r, h: h, presented: r.form["refresh_token"], asked: r.form["scope"], kind: store.DefaultToken, invalid: refreshInvalid}
	if f.presented == "" {
		return token.Issued{}, refreshNoToken
	}
	if r.client.Installation != nil {
		if err := f.nameProfile(ctx); err != nil {
			return token.Issued{}, err
		}
	}
	if err := f.lookAhead(ctx); err != nil {
		return token.Issued{}, fmt.Errorf("refresh: %w", err)
	}
	var issued token.Issued
	err := h.Store.InTx(ctx, func(ctx context.Context) error {
		issued = token.Issued{}
		check, err := f.check(ctx)
		if err != nil {
			return err
		}
		if check.Result != token.PINRight {
			return f.fail(ctx, check)
		}
		issued, err = f.succeed(ctx, check)
		return err
	})
	if err != nil {
		var failure outcome.Failure
		if errors.As(err, &failure) {
			return token.Issued{}, failure
		}
		return token.Issued{}, fmt.Errorf("refresh: %w", err)
	}
	return issued, nil
}

// nameProfile finds the profile that a wrong token is counted for. Without profile_id it is the only one of the
// installation.
func (f *refresh) nameProfile(ctx context.Context) error {
	switch f.form["refresh_token_type"] {
	case "", string(store.DefaultToken):
	case string(store.FingerprintToken):
		f.kind = store.FingerprintToken
		if !f.client.Application.FingerprintAuthentication {
			return tokenGrantOff.About(audit.Detail("grant", "refresh_token"), audit.Detail("type", string(f.kind)))
		}
	default:
		return refreshBadKind
	}
	id, given := f.form["profile_id"]
	if given && !profileIDForm(id) {
		return refreshBadProfile.About(audit.Detail("profile_id", clipped(id, 32)))
	}
	if !given {
		list, err := f.h.Users.ProfilesOf(ctx, f.client.ID)
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		if len(list) != 1 {
			return refreshBadProfile.About(audit.Reason("missing"))
		}
		id = list[0].ProfileID
	}
	f.profileID = id
	audit.Know(ctx, audit.Profile(id))
	return nil
}

// profileIDForm: six letters or digits.
func profileIDForm(id string) bool {
	const length = 6
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(id) == length
}

func (f *refresh) check(ctx context.Context) (token.PINCheck, error) {
	switch {
	case f.client.Installation == nil:
		return f.h.Tokens.CheckWeb(ctx, f.client.ID, f.presented)
	case f.kind != store.DefaultToken:
		return f.h.Tokens.CheckKind(ctx, f.client.ID, f.profileID, f.presented, f.kind)
	}
	return f.h.Tokens.CheckRefresh(ctx, f.client.ID, f.profileID, f.presented, f.client.Application.PINLimit())
}

// fail has the effect of a token that is not right, and returns the failure that commits it.
func (f *refresh) fail(ctx context.Context, check token.PINCheck) error {
	limited := f.client.Installation != nil && f.kind == store.DefaultToken && f.client.Application.PINLimit() > 0
	failure := f.invalid
	switch {
	case check.Result == token.PINLimit:
		err := f.h.Profiles.RemoveProfile(ctx, f.client.ID, f.profileID, "")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("remove profile at the PIN limit: %w", err)
		}
		failure = refreshLimit.With("remaining_attempts", 0).About(audit.Count("limit", f.client.Application.PINLimit()))
	case check.Result == token.PINWrong && f.kind != store.DefaultToken:
		misused := "" // every profile of the installation
		if f.settings.Document.OAuth.FingerprintMisuse == settings.MisuseProfile {
			misused = f.profileID
		}
		count, err := f.h.Tokens.RevokeKind(ctx, f.client.ID, misused, f.kind)
		if err != nil {
			return fmt.Errorf("remove fingerprint tokens: %w", err)
		}
		failure = refreshFingerLimit.About(audit.Count("count", count))
	case check.Result == token.PINWrong:
		if limited {
			failure = failure.With("remaining_attempts", check.Remaining)
		}
		failure = failure.About(audit.Reason("unknown"), audit.Count("attempts", check.Used))
	case check.Other != "":
		failure = failure.About(audit.Reason("other_type"))
	default:
		failure = failure.About(audit.Reason(string(check.Result)))
	}
	failure = failure.About(audit.Count("length", len(f.presented)))
	if user := check.Family.UserID; user != "" {
		failure = failure.About(audit.User(user))
	}
	return store.Keep(failure.Recorded(ctx, f.h.Audit))
}

// succeed rotates and records the success. A scope wider than the grant fails, and so does an account that has ended or
// is disabled; counter and token stay as they were then, because the transaction rolls back.
func (f *refresh) succeed(ctx context.Context, check token.PINCheck) (token.Issued, error) {
	scopes, err := narrowed(check.Family.Scopes, f.asked)
	if err != nil {
		return token.Issued{}, tokenScopeInvalid.Because(err).About(audit.User(check.Family.UserID), audit.Detail("scope", f.asked))
	}
	if check.Family.UserGone {
		return token.Issued{}, refreshInvalid.About(audit.User(check.Family.UserID), audit.Reason("account_disabled"))
	}
	ahead, err := f.seen(check.Family)
	if err != nil {
		return token.Issued{}, err
	}
	if ahead != nil {
		scopes = ahead.scopes
	}
	account, err := userOf(check.Family)
	if err != nil {
		return token.Issued{}, err
	}
	g := baseGrant(f.settings, f.client, scopes)
	if err := describe(&g, f.settings, account, ahead); err != nil {
		return token.Issued{}, err
	}
	rotate := f.client.Web == nil || f.client.Public() || f.client.Web.Rotates()
	issued, err := f.h.Tokens.Rotate(ctx, check, g, rotate)
	if errors.Is(err, token.ErrIDToken) {
		return token.Issued{}, noIDToken(err).About(audit.User(check.Family.UserID))
	}
	if err != nil {
		return token.Issued{}, err
	}
	code := audit.TokenRequestAccessTokenRefreshed
	if f.kind != store.DefaultToken {
		code = audit.TokenRequestFingerPrintAccessTokenRefreshed
	}
	attrs := []audit.Attr{audit.User(check.Family.UserID), audit.Detail("family", check.Family.ID), audit.Detail("type", string(f.kind))}
	if check.Repeat {
		attrs = append(attrs, audit.Flag("repeat", true))
	}
	f.h.Audit.Record(ctx, code, attrs...)
	return issued, nil
}

// narrowed returns the scopes of a refresh: those of the grant, or the part of them that is asked for.
func narrowed(granted []string, parameter string) ([]string, error) {
	asked, err := splitScopes(parameter)
	if err != nil || len(asked) == 0 {
		return granted, err
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			return nil, errScopeForbidden
		}
	}
	return asked, nil
}
