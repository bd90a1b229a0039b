package e2e_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokenserver/phone"
)

func TestAuthorize(t *testing.T) {
	ask := func(change url.Values) func(*actor) ending {
		return func(a *actor) ending {
			query := url.Values{
				"response_type": {"code"}, "client_id": {webClient}, "redirect_uri": {webAddress}, "scope": {"openid read"}, "state": {"s"}, "nonce": {"n"},
			}
			for name, values := range change {
				query[name] = values
			}
			return a.send(request{path: "/v1/authorize?" + query.Encode()}).ended()
		}
	}
	runRows(t, cluster(t), []row{
		{"unknown client", ask(url.Values{"client_id": {"nobody"}}), 400, "", "AUTHZ_REQUEST_INVALID"},
		{"disabled client", ask(url.Values{"client_id": {"web-disabled"}}), 400, "", "AUTHZ_REQUEST_INVALID"},
		{"redirect address of somebody else", ask(url.Values{"redirect_uri": {"https://evil.example.org/"}}), 400, "", "AUTHZ_REQUEST_REDIRECT_URI_INVALID"},
		{"no response type", ask(url.Values{"response_type": nil}), 302, "invalid_request", "AUTHZ_REQUEST_INVALID"},
		{"public client without PKCE", ask(url.Values{"client_id": {pkceClient}}), 302, "invalid_request", "AUTHZ_REQUEST_INVALID"},
		{"unknown response type", ask(url.Values{"response_type": {"fax"}}), 302, "unsupported_response_type", "AUTHZ_REQUEST_INVALID_RESPONSE_TYPE"},
		{"grant not enabled", ask(url.Values{"client_id": {"web-machine"}}), 302, "unauthorized_client", "AUTHZ_REQUEST_INVALID_RESPONSE_TYPE"},
		{"scope of nobody", ask(url.Values{"scope": {"openid unused"}}), 302, "invalid_scope", "AUTHZ_REQUEST_SCOPE_INVALID"},
		{"unknown identity provider", ask(url.Values{"idp": {"nobody"}}), 302, "invalid_request", "UNABLE_TO_DETERMINE_IDENTITY_PROVIDER"},
		{"nobody signed in", ask(url.Values{"prompt": {"none"}}), 302, "login_required", "AUTHN_REQUEST_LOGIN_REQUIRED"},
		{"to the sign-in page", ask(nil), 302, "", ""},
	})
}

// meddler changes the body of the first request whose path ends with the given text.
type meddler struct {
	*actor
	path   string
	change func(url.Values)
	done   bool
}

// RoundTrip implements http.RoundTripper.
func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	if !m.done && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, m.path) {
		m.done = true
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return nil, err
		}
		m.change(form)
		changed := form.Encode()
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(changed)), int64(len(changed))
	}
	return m.actor.RoundTrip(r)
}

func TestSignIn(t *testing.T) {
	signIn := func(change func(*actor, *phone.Person)) func(*actor) ending {
		return func(a *actor) ending {
			p := a.registered(android())
			person := a.person("quin")
			change(a, person)
			_, err := p.SignIn(a.t.Context(), phone.NewProfileID(), pin, []string{"openid", "read"}, person)
			if err != nil && strings.Contains(err.Error(), phone.ErrSignInRefused.Error()) {
				return ending{a.status(), "refused"}
			}
			return a.ended(err)
		}
	}
	runRows(t, cluster(t), []row{
		{
			"accepted", signIn(func(*actor, *phone.Person) {}), 200, "",
			"ACCOUNT_SIGN_IN_SUCCESS CONSENT_GIVEN AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED",
		},
		{"wrong password", signIn(func(_ *actor, u *phone.Person) { u.Password = "wrong" }), 200, "refused", "ACCOUNT_SIGN_IN_FAILED"},
		{"denied", signIn(func(_ *actor, u *phone.Person) { u.Consent = false }), 0, "access_denied", "ACCOUNT_SIGN_IN_SUCCESS CONSENT_DENIED"},
		{"forged consent", signIn(func(a *actor, u *phone.Person) {
			u.Transport = &meddler{actor: a, path: "/consent", change: func(form url.Values) { form.Set("csrf_token", randomHex(160)) }}
		}), 200, "", "ACCOUNT_SIGN_IN_SUCCESS CONSENT_CSRF_INVALID CONSENT_GIVEN AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
		{"consent for more than was shown", signIn(func(a *actor, u *phone.Person) {
			u.Transport = &meddler{actor: a, path: "/consent", change: func(form url.Values) { form.Set("scope", "openid pay read") }}
		}), 200, "", "ACCOUNT_SIGN_IN_SUCCESS CONSENT_CSRF_INVALID CONSENT_GIVEN AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
		{"consent is remembered", func(a *actor) ending {
			p, person := a.registered(android()), a.person("ray")
			a.quietly("first", func(ctx context.Context) error {
				_, err := p.SignIn(ctx, "AAAAAA", pin, []string{"openid", "read"}, person)
				return err
			})
			a.begin()
			_, err := p.SignIn(a.t.Context(), "AAAAAA", pin, []string{"openid", "read"}, person)
			return a.ended(err)
		}, 200, "", "AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
	})
}
