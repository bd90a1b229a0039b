package oauth

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// How the authentication level of a user fails a request.
var (
	levelUnsupported = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.AuthorizationLvlUnsupported, Text: "the authentication level cannot be read",
	}
	levelInsufficient = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		Text: "the user is signed in at too low a level",
	}
	levelInteraction = outcome.Failure{
		Code: outcome.InteractionRequired, Audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		Text: "the user has to sign in at a higher level",
	}
	levelUnmet = outcome.Failure{
		Code: outcome.UnmetAuthentication, Audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		Text: "the user is not signed in in a way that the client requires",
	}
	smsInteraction = outcome.Failure{
		Code: outcome.InteractionRequired, Audit: audit.AuthnRequestInteractionRequired,
		Text: "the user has to type the code of a text message",
	}
)

// unsupportedLevel is the failure of a level that is no whole number.
func unsupportedLevel(level string) outcome.Failure {
	const shown = 64
	return levelUnsupported.About(audit.Detail("level", strconv.QuoteToASCII(clipped(level, shown))))
}

// checkLevel compares the level of the sign-in with that of the scopes, and the acr with what the client says is
// essential. A level that is too low is raised where something can: the identity provider, once; a text message; a page
// of somebody else. Otherwise the journey ends.
func (b *Browser) checkLevel(ctx context.Context, a *store.Authorization, s *settings.Snapshot, _ requester) (string, error) {
	have, err := levelOf(*a, s)
	if err != nil {
		return "", unsupportedLevel(a.Level).Because(err)
	}
	need := neededLevel(s, a.Scopes)
	essential := meets(acrOf(*a, s), have, a.EssentialACR)
	if have >= need && essential {
		return "", nil
	}
	facts := []audit.Attr{audit.Count("have", have), audit.Count("need", need), audit.List("scopes", a.Scopes)}
	if a.Silent {
		return "", levelInteraction.About(facts...)
	}
	if p := s.IdentityProvider(a.Provider); !a.Raised && raisesLevel(p.Type) {
		wanted := a.EssentialACR
		if have < need {
			wanted = []string{levelACR + strconv.Itoa(need)}
		}
		return b.raise(ctx, a, p, wanted)
	}
	if b.reachedBySMS(*a, s, need) {
		return b.at(stepUpPath, a.ID), nil
	}
	if have >= need {
		return "", levelUnmet.About(append(facts, audit.List("acr_values", a.EssentialACR))...)
	}
	if endpoint := s.Document.OAuth.AuthenticationEndpoint; endpoint != "" {
		// The redirect address has been compared with the registered ones: the page may lead there.
		address := withParameters(endpoint, url.Values{"redirect_uri": {a.RedirectURI}, "auth_level": {strconv.Itoa(need)}})
		return "", astray{levelInsufficient.About(facts...), address}
	}
	return "", levelInsufficient.About(facts...)
}

// raisesLevel tells whether identity providers of a type can be asked for a higher level.
func raisesLevel(t settings.IdentityProviderType) bool {
	return t == settings.SAMLProvider || t == settings.OIDCProvider
}

// asksSilently tells whether identity providers of a type can say without a page who is signed in there.
func asksSilently(t settings.IdentityProviderType) bool {
	return t == settings.SAMLProvider || t == settings.OIDCProvider || t == settings.OAuthProvider || t == settings.HeaderProvider
}

// raise sends the user back to the identity provider, which is asked for what is missing. Somebody else may come back.
func (b *Browser) raise(ctx context.Context, a *store.Authorization, p *settings.IdentityProvider, wanted []string) (string, error) {
	next := *a
	next.State, next.Raised, next.Verified = store.AtProvider, true, false
	next.ACRValues = strings.Join(wanted, " ")
	next.UserID, next.SessionID, next.Level, next.ACR, next.AMR, next.SteppedUp = "", "", "", "", nil, false
	if err := b.keep(ctx, a, next); err != nil {
		return "", err
	}
	return b.wayIn(*a, b.Settings.Current(), p), nil
}

// reachedBySMS tells whether the code of a text message is all that is missing.
func (b *Browser) reachedBySMS(a store.Authorization, s *settings.Snapshot, need int) bool {
	if a.SteppedUp || s.Document.OAuth.SMSLevel < need || s.Document.OAuth.SMSLevel == 0 || b.SMS == nil {
		return false
	}
	a.SteppedUp = true
	level, err := levelOf(a, s)
	return err == nil && meets(acrOf(a, s), level, a.EssentialACR)
}

// checkSMS asks for the code of a text message where the client wants one besides the sign-in.
func (b *Browser) checkSMS(_ context.Context, a *store.Authorization, _ *settings.Snapshot, client requester) (string, error) {
	if a.SteppedUp || !client.wantsSMS() {
		return "", nil
	}
	if a.Silent {
		return "", smsInteraction
	}
	return b.at(stepUpPath, a.ID), nil
}
