package e2e_test

import (
	"net/http"
	"net/url"
	"testing"
)

const (
	rpImplicit  = "rp-implicit"  // may have tokens in the answer
	rpHeader    = "rp-header"    // its users come through a reverse proxy
	rpEncrypted = "rp-encrypted" // wants encrypted ID tokens, and has no key for them
	rpPassword  = "rp-password"  // takes passwords
	rpValidates = "rp-validates" // may validate access tokens
)

// legacyParties are relying parties with what no new client should have, or with what is rare.
func (w *world) legacyParties(party func(string, object) object) []object {
	return []object{
		party(rpImplicit, object{"grant_types": []string{"AUTHORIZATION_CODE", "IMPLICIT"}}),
		party(rpHeader, object{"identity_provider": "proxy", "additional_scopes": []string{"vault"}}),
		party(rpEncrypted, object{"open_id_connect": object{
			"id_token_encryption": object{"enabled": true, "method": "A256GCM", "jwks_uri": w.others.url + "/no-keys"},
		}}),
		party(rpStepUp, object{"additional_user_authentication": "SMS"}),
		party(rpPassword, object{"grant_types": []string{"PASSWORD"}, "redirect_urls": nil}),
		party(rpValidates, object{
			"grant_types": []string{"CLIENT_CREDENTIALS"}, "redirect_urls": nil, "refresh_token_enabled": false,
			"validates_access_tokens": true,
		}),
	}
}

// headerProvider is a reverse proxy that signs users in.
func headerProvider() object {
	return object{"id": "proxy", "type": "HEADER", "header": object{"trusted_proxies": []string{"127.0.0.1/32"}}}
}

// proxied adds what the reverse proxy says to every request.
type proxied struct {
	*actor
	user, level string
}

// RoundTrip implements http.RoundTripper.
func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if p.user != "" {
		r.Header.Set("iv-user", p.user)
	}
	if p.level != "" {
		r.Header.Set("authentication-level", p.level)
	}
	return p.actor.RoundTrip(r)
}

func TestAuthenticationLevel(t *testing.T) {
	visit := func(user, level, scope string) func(*actor) ending {
		return func(a *actor) ending {
			rp := &relyingParty{actor: a, id: rpHeader, redirect: rpRedirect, person: a.person(rpUser), via: &proxied{a, user, level}}
			back, err := rp.open(rp.request(map[string]string{"scope": scope}))
			if err != nil {
				return a.ended(err)
			}
			return ending{a.status(), back.Get("error")}
		}
	}
	runRows(t, cluster(t), []row{
		{"high enough", visit("proxied-1", "3", "openid vault"), 302, "", "AUTHZ_REQUEST_GRANT_CREATED"},
		{"not needed", visit("proxied-1", "", "openid"), 302, "", "AUTHZ_REQUEST_GRANT_CREATED"},
		{"too low", visit("proxied-1", "2", "openid vault"), 302, "access_denied", "AUTHZ_REQUEST_AUTHENTICATION_LVL_INSUFFICIENT"},
		{"no number", visit("proxied-1", "high", "openid"), 302, "server_error", "AUTHORIZATION_LVL_UNSUPPORTED"},
	})
}

func TestImplicitGrant(t *testing.T) {
	rp := newRelyingParty(t, cluster(t), rpImplicit)
	rp.quietlySignedIn()
	rp.begin()
	query := rp.request(map[string]string{"response_type": "id_token token"})
	got, err := rp.person.Open(t.Context(), rp.d.base+"/v1/authorize?"+query.Encode(), rpRedirect)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	back, err := url.ParseQuery(address.Fragment)
	if err != nil || back.Get("access_token") == "" || back.Get("refresh_token") != "" || address.RawQuery != "" {
		t.Fatalf("%s: %v", address.Redacted(), err)
	}
	if id := rp.verified(tokens{Access: back.Get("access_token"), ID: back.Get("id_token")}); id.Nonce != query.Get("nonce") {
		t.Error("another nonce")
	}
	rp.d.log.want(t, "implicit", rp.transaction, "AUTHZ_REQUEST_TOKEN_CREATED")
}

func TestIDTokenCannotBeEncrypted(t *testing.T) {
	rp := newRelyingParty(t, cluster(t), rpEncrypted)
	rp.quietlySignedIn()
	transaction := rp.begin()
	back := rp.answered(rp.request(nil))
	if _, response := rp.redeem(back); response.status != http.StatusInternalServerError || response.word() != "server_error" {
		t.Errorf("%d %s", response.status, response.body)
	}
	rp.d.log.want(t, "exchange", transaction, "AUTHZ_REQUEST_GRANT_CREATED AUTHORIZATION_FAILED_UNABLE_TO_GENERATE_ID_TOKEN")
}

// quietlySignedIn signs the user in at this browser.
func (rp *relyingParty) quietlySignedIn() {
	rp.t.Helper()
	rp.begin()
	if back := rp.answered(rp.request(nil)); back.Get("code") == "" {
		rp.t.Fatalf("sign in: %v", back)
	}
}

func TestScopeVerification(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	d.apply(t, func(settings object) {
		settings["oauth"] = object{
			"scope_verification": object{"enabled": true, "endpoint": d.world.others.url + "/entitled", "username": "ts", "password": d.world.secret},
		}
	})
	visit := func(user string) func(*actor) ending {
		return func(a *actor) ending {
			rp := &relyingParty{actor: a, id: rpBasic, redirect: rpRedirect, person: a.person(user)}
			back, err := rp.open(rp.request(nil))
			if err != nil {
				return a.ended(err)
			}
			return ending{a.status(), back.Get("error")}
		}
	}
	password := func(user string) func(*actor) ending {
		return func(a *actor) ending {
			return a.send(request{path: "/v1/token", basic: []string{rpPassword, d.world.secret}, form: url.Values{
				"grant_type": {"password"}, "username": {user}, "password": {d.world.password}, "scope": {"openid"},
			}}).ended()
		}
	}
	runRows(t, d, []row{
		{"entitled", visit("kim"), 302, "", "ACCOUNT_SIGN_IN_SUCCESS AUTHZ_REQUEST_GRANT_CREATED"},
		{"not entitled", visit("vic"), 302, "access_denied", "ACCOUNT_SIGN_IN_SUCCESS AUTHZ_REQUEST_NOT_AUTHORIZED_FOR_SCOPE"},
		{"out of order", visit("wes"), 302, "temporarily_unavailable", "ACCOUNT_SIGN_IN_SUCCESS EXTERNAL_SCOPE_CHECK_FAILED"},
		{"entitled, by password", password("kim"), 200, "", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
		{"not entitled, by password", password("vic"), 400, "unauthorized_user", "TOKEN_REQUEST_NOT_AUTHORIZED_FOR_SCOPE"},
		{"out of order, by password", password("wes"), 503, "temporarily_unavailable", "EXTERNAL_SCOPE_CHECK_FAILED"},
	})
}
