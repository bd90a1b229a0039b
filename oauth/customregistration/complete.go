package customregistration

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// maxCompletions is how often the last step of one registration may be tried.
const maxCompletions = 5

// How the last step fails before anybody decides about the user.
var (
	grantUnknown = outcome.Failure{
		Code: outcome.UnsupportedGrantType, Audit: audit.TokenRequestUnsupportedGrantType, Text: "the grant type is not supported",
	}
	statelessOff = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.TokenRequestDisabledGrantType, Text: "the client may not authenticate users without a registration",
	}
	memberWrong = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "a member of the body is missing or malformed",
	}
	scopeUnconsented = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.TokenRequestScopeInvalid, Text: "a scope needs the user's consent each time, which cannot be asked here",
	}
	levelTooLow = outcome.Failure{
		Code: outcome.InsufficientLevel, Audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		Text: "the scopes demand a higher authentication level than the identity provider gives",
	}
	transactionRefused = outcome.Failure{
		Code: outcome.RefusedTransaction, Audit: audit.TokenRequestInvalidGrant,
		Text: "the transaction is unknown, expired or used, or belongs to another client or identity provider",
	}
)

// completion is the last step of one registration, while it is under way.
type completion struct {
	settings *settings.Snapshot
	client   clientauth.Client
	provider *settings.IdentityProvider
	body     completeBody
	kind     store.TokenKind
	scopes   []string
	begun    *store.CustomRegistration // by the first step; nil = there is only one
}

// completeAnswer is the answer of the last step.
type completeAnswer struct {
	Status int         `json:"status"`
	Data   *string     `json:"data,omitempty"`
	Token  *oauthToken `json:"oauth_token,omitempty"` // of a success
}

type oauthToken struct {
	Type         string `json:"token_type"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// complete answers POST …/complete. It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_CREATED; what the operator's service refuses is a
// 200 with its status.
func (h *Handler) complete(v version) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := &completion{settings: h.Settings.Current(), kind: store.DefaultToken}
		proof, err := bind(c, v, &r.body)
		if err != nil {
			return err
		}
		r.client, r.provider, err = h.enter(c, r.settings, v, proof, settings.CustomOneStep, settings.CustomTwoStep, settings.TwoWayOTPByAPI)
		if err != nil {
			return err
		}
		if err := h.check(r); err != nil {
			return err
		}
		ctx := c.Request().Context()
		if r.provider.Type != settings.CustomOneStep {
			if err := h.find(ctx, r, v); err != nil {
				return err
			}
		}
		a, err := h.decide(ctx, r)
		if err != nil {
			return err
		}
		if !a.ok() {
			if err := h.refused(ctx, r, a); err != nil {
				return err
			}
			return web.JSON(c, http.StatusOK, completeAnswer{Status: a.status, Data: a.data})
		}
		issued, err := h.grant(ctx, r, a)
		if err != nil {
			return err
		}
		return web.JSON(c, http.StatusOK, completeAnswer{Status: a.status, Data: a.data, Token: &oauthToken{
			Type: "bearer", AccessToken: issued.AccessToken, RefreshToken: issued.RefreshToken, IDToken: issued.IDToken, ExpiresIn: issued.ExpiresIn,
		}})
	}
}

// check judges what the request asks for: grant type, members, profile, scopes.
func (h *Handler) check(r *completion) (err error) {
	about := audit.Detail("idp", r.provider.ID)
	switch r.body.GrantType {
	case "":
	case stateless:
		if r.client.Application == nil || !r.client.Application.StatelessAuthentication {
			return statelessOff.About(about, audit.Detail("grant", stateless))
		}
		r.kind = store.StatelessToken
	default:
		return grantUnknown.About(audit.Detail("grant_type", r.body.GrantType[:min(len(r.body.GrantType), 128)]))
	}
	if fault := r.body.fault(); fault != "" {
		return memberWrong.About(about, audit.Detail("field", fault))
	}
	if r.client.Installation != nil && (r.kind == store.DefaultToken || r.body.ProfileID != "") {
		if err := h.Tokens.RegistrationProfile(r.body.ProfileID); err != nil {
			return err
		}
	}
	if r.scopes, err = h.Tokens.RegistrationScopes(r.client, r.body.Scope); err != nil {
		return err
	}
	return h.checkScopes(r)
}

// checkScopes refuses scopes for which the user would have to be asked, or that demand more than the provider gives.
func (h *Handler) checkScopes(r *completion) error {
	skips := r.client.Web != nil && r.client.Web.SkipConsent || r.client.Application != nil && r.client.Application.SkipConsent
	need := 0
	for _, id := range r.scopes {
		scope := r.settings.Scope(id)
		if scope == nil {
			continue
		}
		if !scope.PersistentConsent && !skips {
			return scopeUnconsented.About(audit.List("scopes", r.scopes), audit.Detail("scope", id))
		}
		need = max(need, scope.Level)
	}
	have := 0
	if r.provider.Custom != nil {
		have = r.provider.Custom.AuthenticationLevel
	}
	if have < need {
		return levelTooLow.About(audit.Detail("idp", r.provider.ID), audit.Detail("flow", "custom_registration"), audit.Count("have", have), audit.Count("need", need))
	}
	return nil
}

// find looks the transaction of the first step up: it must be this client's, with this provider, under this version.
func (h *Handler) find(ctx context.Context, r *completion, v version) error {
	about := audit.Detail("idp", r.provider.ID)
	if r.body.TransactionID == "" {
		return memberWrong.About(about, audit.Detail("field", "transaction_id"))
	}
	begun, err := h.Registrations.CustomRegistration(ctx, h.hash(r.body.TransactionID))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("find transaction: %w", err)
	}
	var reason string
	switch {
	case err != nil:
		reason = "unknown"
	case begun.ClientID != r.client.ID:
		reason = "other client"
	case begun.Provider != r.provider.ID:
		reason = "other idp"
	case begun.APIVersion != int(v):
		reason = "other version"
	case begun.Ended:
		reason = "used"
	case r.provider.Type == settings.CustomTwoStep && !h.Now().Before(begun.ExpiresAt):
		reason = "expired"
	default:
		r.begun = &begun
		return nil
	}
	return transactionRefused.Because(err).About(about, audit.Reason(reason))
}

// decide lets whoever stands behind the provider decide about the user. The attempt is counted before.
func (h *Handler) decide(ctx context.Context, r *completion) (answer, error) {
	if r.provider.Type == settings.TwoWayOTPByAPI {
		return h.compareCodes(ctx, *r.begun, deref(r.body.Data))
	}
	if r.begun != nil {
		err := h.Registrations.CountCompletion(ctx, r.begun.Hash, maxCompletions, h.Now())
		if errors.Is(err, store.ErrConflict) {
			return answer{}, transactionRefused.Because(err).About(audit.Detail("idp", r.provider.ID), audit.Reason("attempts"))
		}
		if err != nil {
			return answer{}, fmt.Errorf("count completion: %w", err)
		}
	}
	return h.ask(ctx, r.provider, call{
		Type: askComplete, RequestPayload: r.body.Data, HookParams: r.body.HookParams, Client: callerOf(r.client),
	})
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// refused records that the user was not accepted. A status of 5000 and above of the operator's service ends the transaction: the
// app starts over. Codes whose attempts are used up are worth nothing anyway, and ending them would take the success from
// somebody whose right code is being judged at this moment.
func (h *Handler) refused(ctx context.Context, r *completion, a answer) error {
	code := a.failed
	switch {
	case code != "":
	case r.kind == store.StatelessToken:
		code = audit.StatelessCustomRegistrationCompleteFailure
	default:
		code = audit.CustomRegistrationCompleteFailure
	}
	details := append(a.details, audit.Count("status", a.status))
	if r.begun == nil || a.status < statusRestart || a.failed != "" {
		h.Audit.Record(ctx, code, details...)
		return nil
	}
	err := h.Registrations.InTx(ctx, func(ctx context.Context) error {
		if err := h.Registrations.EndCustomRegistration(ctx, r.begun.Hash); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
		h.Audit.Record(ctx, code, details...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("end registration: %w", err)
	}
	return nil
}

// grant issues the tokens. One conditional statement decides who completes the transaction; it commits together with profile,
// tokens and events. Whoever comes second gets nothing.
func (h *Handler) grant(ctx context.Context, r *completion, a answer) (token.Issued, error) {
	person, g, refusal := h.admit(ctx, r, a)
	var failure outcome.Failure
	if refusal != nil && !errors.As(refusal, &failure) {
		return token.Issued{}, refusal
	}
	audit.Know(ctx, audit.User(person.ID))
	var issued token.Issued
	err := h.Registrations.InTx(ctx, func(ctx context.Context) error {
		refusal := refusal // the transaction may be tried again
		if r.begun != nil {
			err := h.Registrations.EndCustomRegistration(ctx, r.begun.Hash)
			if errors.Is(err, store.ErrConflict) {
				return transactionRefused.Because(err).About(audit.Detail("idp", r.provider.ID), audit.Reason("used"))
			}
			if err != nil {
				return err
			}
		}
		if a.passed != "" {
			h.Audit.Record(ctx, a.passed, a.details...)
		}
		if refusal == nil {
			refusal = h.hold(ctx, r, person)
		}
		if refusal == nil {
			issued, refusal = h.Tokens.RegistrationTokens(ctx, r.settings, r.client, person, g)
		}
		if errors.As(refusal, &failure) { // the transaction is used up all the same
			return store.Keep(failure.Recorded(ctx, h.Audit))
		}
		if refusal != nil {
			return refusal
		}
		h.Audit.Record(ctx, audit.TokenRequestAccessTokenCreated, audit.Profile(issued.ProfileID), audit.Detail("grant", "custom_registration"),
			audit.Detail("idp", r.provider.ID), audit.Detail("flow", "custom_registration"), audit.List("scopes", issued.Scopes), audit.Detail("type", string(r.kind)))
		return nil
	})
	if err != nil {
		return token.Issued{}, err
	}
	return issued, nil
}
