package saml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/beevik/etree"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// statusUnknownPrincipal answers a logout request for somebody who is not signed in.
const statusUnknownPrincipal = statusPrefix + "UnknownPrincipal"

// rememberUser is how long a name id is kept with the user id that stands for it here: longer than any session lasts.
const rememberUser = 7 * 24 * time.Hour

// transactor runs f in one SQL transaction together with the events of the request; see sqlstore.Store.InTx.
type transactor interface {
	InTx(ctx context.Context, f func(context.Context) error) error
}

// ender ends browser sessions; see sessions.Service.
type ender interface {
	EndWhere(ctx context.Context, userID string, match func(store.BrowserSession) bool, policy sessions.TokenPolicy) (
		ended []store.BrowserSession, families int, err error)
}

// remembered is where a user is found by what the provider calls him or her, for providers that call people otherwise
// than we do.
func remembered(provider *settings.IdentityProvider, name, sessionIndex string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", provider.SAML.EntityID, name, sessionIndex))
	return hex.EncodeToString(sum[:])
}

const userScope = "saml-user"

// remember keeps the user id for a logout request that the provider may send later.
func (p *ServiceProvider) remember(ctx context.Context, provider *settings.IdentityProvider, said assertion, userID string) error {
	if !provider.SAML.SingleLogout || said.nameID.Value == "" || said.nameID.Value == userID {
		return nil
	}
	_, err := p.Once.ClaimOnce(ctx, userScope, remembered(provider, said.nameID.Value, said.sessionIndex), userID, p.Now().Add(rememberUser))
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("remember user: %w", err)
	}
	return nil
}

// logoutAsked answers a LogoutRequest of an identity provider: the sessions that the user has from there end, with the
// tokens of web clients that cannot renew them. It ends with IDP_SAML_SINGLE_LOGOUT_SUCCESS, or with
// IDP_SAML_SINGLE_LOGOUT_USER_NOT_FOUND, and a LogoutResponse.
func (p *ServiceProvider) logoutAsked(c echo.Context, m incoming, provider *settings.IdentityProvider) error {
	ctx := c.Request().Context()
	about := audit.Detail("idp", provider.ID)
	message, idp, err := p.believe(ctx, m, provider, "LogoutRequest")
	if err != nil {
		return logoutRefused.Because(err).About(about, audit.Reason(logoutReason(err)))
	}
	audit.Admit(ctx)
	once := sha256.Sum256([]byte(provider.SAML.EntityID + "\x00" + attribute(message, "ID")))
	_, err = p.Once.ClaimOnce(ctx, "saml-logout", hex.EncodeToString(once[:]), "", p.Now().Add(logoutLife+2*clockSkew))
	switch {
	case errors.Is(err, store.ErrConflict):
		return logoutRefused.About(about, audit.Reason("request was used before"))
	case err != nil:
		return fmt.Errorf("remember logout request: %w", err)
	}
	asked, err := readLogoutRequest(message)
	if err != nil {
		return logoutRefused.Because(err).About(about, audit.Reason(logoutReason(err)))
	}
	ended, err := p.endSessions(ctx, provider, asked)
	if err != nil {
		return err
	}
	entityID, status := p.entityID(&p.Settings.Current().Document.SAML, ""), statusUnknownPrincipal
	if len(ended) > 0 {
		status = ""
		var from signedIn
		if err := json.Unmarshal([]byte(ended[0].ProviderToken), &from); err == nil {
			entityID = from.EntityID
		}
	}
	return p.answerLogout(c, m, idp, attribute(message, "ID"), entityID, status)
}

// logoutRequest is whom a LogoutRequest is about.
type logoutRequest struct {
	name     string
	sessions []string // SessionIndex; none = all of them
}

func readLogoutRequest(message *etree.Element) (logoutRequest, error) {
	name, ok := exact(only(message, nsAssertion, "NameID"))
	if !ok || name == "" {
		return logoutRequest{}, refusal("no name id")
	}
	r := logoutRequest{name: name}
	for _, e := range children(message, nsProtocol, "SessionIndex") {
		index, ok := content(e)
		if !ok {
			return r, refusal("session index is no text")
		}
		r.sessions = append(r.sessions, index)
	}
	return r, nil
}

// covers tells whether a browser session is one of those that are to end.
func (r logoutRequest) covers(providerID string, b store.BrowserSession) bool {
	var from signedIn
	return b.Provider == providerID && json.Unmarshal([]byte(b.ProviderToken), &from) == nil && from.NameID.Value == r.name &&
		(len(r.sessions) == 0 || slices.Contains(r.sessions, b.ProviderSession))
}

// endSessions ends what a request is about, in one transaction with its event.
func (p *ServiceProvider) endSessions(ctx context.Context, provider *settings.IdentityProvider, r logoutRequest) ([]store.BrowserSession, error) {
	users := []string{r.name}
	for _, index := range r.sessions {
		userID, err := p.Once.Claimed(ctx, userScope, remembered(provider, r.name, index))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("find user: %w", err)
		case !slices.Contains(users, userID):
			users = append(users, userID)
		}
	}
	var all []store.BrowserSession
	err := p.Store.InTx(ctx, func(ctx context.Context) error {
		all = nil
		families := 0
		for _, userID := range users {
			ended, n, err := p.Sessions.EndWhere(ctx, userID, func(b store.BrowserSession) bool { return r.covers(provider.ID, b) }, sessions.TokensNotRenewed)
			if err != nil {
				return fmt.Errorf("end sessions: %w", err)
			}
			all, families = append(all, ended...), families+n
		}
		about := audit.Detail("idp", provider.ID)
		if len(all) == 0 {
			p.Audit.Record(ctx, audit.IDPSamlSingleLogoutUserNotFound, about)
			return nil
		}
		p.Audit.Record(ctx, audit.IDPSamlSingleLogoutSuccess, audit.User(all[0].UserID), about, audit.Detail("started_by", "provider"),
			audit.Count("sessions", len(all)), audit.Count("token_families", families))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("log out: %w", err)
	}
	return all, nil
}

// answerLogout sends the browser back with a signed LogoutResponse. Without a key or an address for it the person sees a
// page of ours.
func (p *ServiceProvider) answerLogout(c echo.Context, m incoming, idp metadata, inResponseTo, entityID, status string) error {
	keys, err := signingPair(&p.Settings.Current().Document.SAML)
	if err != nil || idp.logout.location == "" {
		return c.NoContent(http.StatusNoContent)
	}
	e := p.logoutMessage("LogoutResponse", p.logoutID("", ""), entityID, idp.logout.answers)
	e.CreateAttr("InResponseTo", inResponseTo)
	top := element(e, "samlp:Status")
	if status == "" {
		element(top, "samlp:StatusCode", "Value", statusSuccess)
	} else {
		element(element(top, "samlp:StatusCode", "Value", statusPrefix+"Requester"), "samlp:StatusCode", "Value", status)
	}
	web.NoStore(c)
	const longestRelay = 80 // bytes (SAML Bindings §3.4.3)
	relay := m.relayState
	if len(relay) > longestRelay {
		relay = ""
	}
	return p.send(c, outgoing{document: e, parameter: parameterResponse, relayState: relay}, idp.logout.binding, idp.logout.answers, keys, "")
}
