package saml

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// logoutLife is how long a logout message may be on its way.
const logoutLife = 5 * time.Minute

// signedIn is what has to be known of a sign-in for its logout, as it is kept with the browser session.
type signedIn struct {
	NameID   nameID `json:"name_id"`
	EntityID string `json:"entity_id"` // ours, towards the client that the user signed in for
}

// How a logout message is refused. An answer of the identity provider ends with IDP_SAML_SINGLE_LOGOUT_SUCCESS or
// IDP_SAML_SINGLE_LOGOUT_NOT_SUCCESSFUL, and 302 or 303 to where the logout goes on; a request as its handler says.
var logoutRefused = outcome.Failure{
	Code: outcome.InvalidRequest, Audit: audit.IDPSamlSingleLogoutNotSuccessful, Text: "the logout message is not usable",
}.With("page", "error.request")

// LogoutURL returns where the browser goes to end its session at the identity provider, which sends it back to us, and we
// to back. false = single logout is off for the provider, or something is missing for it, which the log tells then.
func (p *ServiceProvider) LogoutURL(ctx context.Context, session store.BrowserSession, back string) (string, bool) {
	s := p.Settings.Current()
	provider := s.IdentityProvider(session.Provider)
	if provider == nil || provider.SAML == nil || !provider.SAML.SingleLogout || !s.Document.SAML.Enabled {
		return "", false
	}
	address, reason := p.logoutAddress(ctx, &s.Document.SAML, provider, session, back)
	if reason != "" {
		p.Audit.Record(ctx, audit.IDPSamlSingleLogoutInitiationSkipped,
			audit.User(session.UserID), audit.Detail("idp", provider.ID), audit.Reason(reason))
		return "", false
	}
	p.Audit.Record(ctx, audit.IDPSamlSingleLogoutInitiated, audit.User(session.UserID), audit.Detail("idp", provider.ID))
	return address, true
}

func (p *ServiceProvider) logoutAddress(
	ctx context.Context, us *settings.SAMLServiceProvider, provider *settings.IdentityProvider, session store.BrowserSession, back string,
) (address, reason string) {
	var from signedIn
	if err := json.Unmarshal([]byte(session.ProviderToken), &from); err != nil || from.NameID.Value == "" {
		return "", "session has no name id"
	}
	relay, ours := strings.CutPrefix(back, p.Issuer)
	if !ours {
		return "", "foreign address to come back to"
	}
	keys, err := signingPair(us)
	if err != nil {
		return "", "no signing key"
	}
	idp, err := p.Source.of(ctx, provider.SAML, false)
	switch {
	case err != nil:
		return "", "no metadata"
	case idp.logout.binding != bindingRedirect:
		return "", "provider has no single logout service by redirect"
	}
	e := p.logoutMessage("LogoutRequest", p.logoutID(provider.ID, relay), from.EntityID, idp.logout.location)
	e.CreateAttr("NotOnOrAfter", stamp(p.Now().Add(logoutLife)))
	name := element(e, "saml:NameID")
	for _, a := range [][2]string{
		{"NameQualifier", from.NameID.NameQualifier},
		{"SPNameQualifier", from.NameID.SPNameQualifier},
		{"Format", from.NameID.Format},
	} {
		if a[1] != "" {
			name.CreateAttr(a[0], a[1])
		}
	}
	name.SetText(from.NameID.Value)
	if session.ProviderSession != "" {
		element(e, "samlp:SessionIndex").SetText(session.ProviderSession)
	}
	message := outgoing{document: e, parameter: parameterRequest, relayState: relay}
	if address, err = message.redirect(idp.logout.location, keys.key); err != nil {
		return "", "request cannot be signed"
	}
	return address, ""
}

// logoutMessage begins a LogoutRequest or a LogoutResponse (SAML Core §3.7).
func (p *ServiceProvider) logoutMessage(kind, id, issuer, to string) *etree.Element {
	e := etree.NewElement("samlp:" + kind)
	for _, a := range [][2]string{
		{"xmlns:samlp", nsProtocol},
		{"xmlns:saml", nsAssertion},
		{"ID", id},
		{"Version", "2.0"},
		{"IssueInstant", stamp(p.Now())},
		{"Destination", to},
	} {
		e.CreateAttr(a[0], a[1])
	}
	element(e, "saml:Issuer").SetText(issuer)
	return e
}

// logoutID makes the id of a LogoutRequest. Whoever answers it must bring back the same relay state.
func (p *ServiceProvider) logoutID(providerID, relay string) string {
	random := make([]byte, requestLength/2)
	rand.Read(random)
	id := hex.EncodeToString(random)
	return "_" + id + hex.EncodeToString(p.Keys.MAC(secret.ForSAMLRequest, "logout", id, providerID, relay))
}

// startedHere tells whether an id is one that logoutID made.
func (p *ServiceProvider) startedHere(id, providerID, relay string) bool {
	rest, found := strings.CutPrefix(id, "_")
	if !found || len(rest) <= requestLength {
		return false
	}
	mac, err := hex.DecodeString(rest[requestLength:])
	return err == nil && p.Keys.Equal(secret.ForSAMLRequest, mac, "logout", rest[:requestLength], providerID, relay)
}

// logout answers the single logout service: requests of identity providers, and their answers to ours.
func (p *ServiceProvider) logout(c echo.Context) error {
	m, err := receive(c)
	if err != nil {
		return logoutRefused.Because(err).About(audit.Reason(reasonOf(err)))
	}
	provider := p.logoutPartner(m.root)
	if provider == nil {
		return logoutRefused.About(audit.Reason("issuer"))
	}
	web.NoStore(c)
	if m.isResponse {
		return p.logoutAnswered(c, m, provider)
	}
	return p.logoutAsked(c, m, provider)
}

// logoutPartner finds the identity provider that a message says it is from.
func (p *ServiceProvider) logoutPartner(message *etree.Element) *settings.IdentityProvider {
	s := p.Settings.Current()
	issuer, ok := content(only(message, nsAssertion, "Issuer"))
	if !ok || !s.Document.SAML.Enabled {
		return nil
	}
	for i := range s.Document.IdentityProviders {
		provider := &s.Document.IdentityProviders[i]
		if provider.Type == settings.SAMLProvider && !provider.Disabled && provider.SAML != nil && provider.SAML.SingleLogout &&
			provider.SAML.EntityID == issuer {
			return provider
		}
	}
	return nil
}

// believe checks who a logout message is from, whom it is for, and that it is fresh. Errors: a refusal, and those of proved.
func (p *ServiceProvider) believe(ctx context.Context, m incoming, provider *settings.IdentityProvider, kind string) (*etree.Element, metadata, error) {
	idp, err := p.Source.of(ctx, provider.SAML, false)
	if err != nil {
		return nil, idp, err
	}
	now := p.Now()
	message, err := m.proved(idp.certificates, now)
	if errors.Is(err, errSignature) {
		if idp, err = p.Source.of(ctx, provider.SAML, true); err == nil {
			message, err = m.proved(idp.certificates, now)
		}
	}
	if err != nil {
		return nil, idp, err
	}
	issued, err := moment(message, "IssueInstant")
	if err != nil {
		return nil, idp, err
	}
	ends, err := moment(message, "NotOnOrAfter")
	if err != nil {
		return nil, idp, err
	}
	issuer, _ := content(only(message, nsAssertion, "Issuer"))
	switch {
	case !is(message, nsProtocol, kind) || attribute(message, "Version") != "2.0" || attribute(message, "ID") == "":
		return nil, idp, refusal("not a logout message")
	case issuer != provider.SAML.EntityID:
		return nil, idp, refusal("issuer")
	case attribute(message, "Destination") != p.slo():
		return nil, idp, refusal("destination")
	case issued.IsZero() || issued.After(now.Add(clockSkew)) || issued.Add(logoutLife).Before(now):
		return nil, idp, refusal("not issued just now")
	}
	return message, idp, expectation{now: now}.within(time.Time{}, ends)
}

func (p *ServiceProvider) slo() string { return p.Issuer + sloPath }

// logoutAnswered takes the identity provider's answer to our request. Our own session has ended before, so the browser
// goes on whatever the provider says, as long as the answer belongs to a request of ours.
func (p *ServiceProvider) logoutAnswered(c echo.Context, m incoming, provider *settings.IdentityProvider) error {
	ctx := c.Request().Context()
	if !p.startedHere(attribute(m.root, "InResponseTo"), provider.ID, m.relayState) {
		return logoutRefused.About(audit.Detail("idp", provider.ID), audit.Reason("in response to another request"))
	}
	message, _, err := p.believe(ctx, m, provider, "LogoutResponse")
	if err == nil {
		audit.Admit(ctx)
		err = statusOf(message)
	}
	status := http.StatusFound
	if m.byPost {
		status = http.StatusSeeOther
	}
	about := audit.Detail("idp", provider.ID)
	if err != nil { // as a failure, so that answers which prove nothing cannot be repeated at will
		web.AnswerFailuresBy(c, func(c echo.Context, _ outcome.Failure) error { return c.Redirect(status, p.Issuer+m.relayState) })
		return logoutRefused.Because(err).About(about, audit.Reason(logoutReason(err)))
	}
	p.Audit.Record(ctx, audit.IDPSamlSingleLogoutSuccess, about, audit.Detail("started_by", "us"))
	return c.Redirect(status, p.Issuer+m.relayState)
}

// logoutReason says why a logout message was of no use.
func logoutReason(err error) string {
	var refused refusal
	var status statusError
	switch {
	case errors.As(err, &refused):
		return string(refused)
	case errors.As(err, &status):
		return status.code
	}
	return reasonOf(err)
}
