package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"tokenserver/phone"
)

func TestRevoke(t *testing.T) {
	// revoke sends form values to one of the revocations with the authentication of a signed-in phone.
	revoke := func(path string, form func(a *actor, p *phone.Phone, profile string) url.Values) func(*actor) ending {
		return func(a *actor) ending {
			p, profile := a.signedIn(android(), "xan")
			values := form(a, p, profile)
			a.begin()
			return a.do(p, phone.Request{Path: path, ClientAuth: true, Form: values}).ended()
		}
	}
	wrong := func(path string) func(*actor) ending {
		return func(a *actor) ending {
			r := http.Request{Header: http.Header{}}
			r.SetBasicAuth(webClient, "wrong")
			return a.send(request{path: path, header: r.Header, form: url.Values{"token": {"x"}, "profile_id": {"AAAAAA"}}}).ended()
		}
	}
	values := func(values url.Values) func(*actor, *phone.Phone, string) url.Values {
		return func(*actor, *phone.Phone, string) url.Values { return values }
	}
	runRows(t, cluster(t), []row{
		{"access token", revoke("/v1/revoke", func(a *actor, p *phone.Phone, profile string) url.Values {
			return url.Values{"token": {a.accessToken(p, profile)}, "token_type_hint": {"access_token"}}
		}), 200, "", "TOKEN_REVOKE_ACCESS_TOKEN_SUCCESS"},
		{"refresh token", revoke("/v1/revoke", func(a *actor, p *phone.Phone, profile string) url.Values {
			return url.Values{"token": {a.refreshToken(p, profile)}, "token_type_hint": {"refresh_token"}}
		}), 200, "", "TOKEN_REVOKE_REFRESH_TOKEN_SUCCESS"},
		{"unknown access token", revoke("/v1/revoke", values(url.Values{"token": {randomHex(32)}, "token_type_hint": {"access_token"}})), 200, "", "TOKEN_REVOKE_ACCESS_TOKEN_INVALID"},
		{"unknown refresh token", revoke("/v1/revoke", values(url.Values{"token": {randomHex(32)}, "token_type_hint": {"refresh_token"}})), 200, "", "TOKEN_REVOKE_REFRESH_TOKEN_INVALID"},
		{"unknown token", revoke("/v1/revoke", values(url.Values{"token": {randomHex(32)}})), 200, "", "TOKEN_REVOKE_TOKEN_INVALID"},
		{"no token", revoke("/v1/revoke", values(url.Values{})), 400, "invalid_request", "TOKEN_REVOKE_TOKEN_INVALID"},
		{"access token of somebody else", revoke("/v1/revoke", func(a *actor, _ *phone.Phone, _ string) url.Values {
			other, profile := a.signedIn(android(), "yara")
			return url.Values{"token": {a.accessToken(other, profile)}, "token_type_hint": {"access_token"}}
		}), 400, "unauthorized_client", "TOKEN_REVOKE_ACCESS_TOKEN_INVALID"},
		{"wrong secret", wrong("/v1/revoke"), 401, "invalid_client", "TOKEN_REVOKE_CLIENT_INVALID"},
		{"wrong secret, profile", wrong("/v1/revoke/profile"), 401, "invalid_client", "TOKEN_REVOKE_CLIENT_INVALID"},
		{"all tokens of the installation", revoke("/v1/revoke/client", values(url.Values{})), 200, "", "TOKEN_REVOKE_CLIENT_TOKENS_SUCCESS"},
		{"all tokens of the profile", revoke("/v1/revoke/profile/tokens", func(_ *actor, _ *phone.Phone, profile string) url.Values {
			return url.Values{"profile_id": {profile}}
		}), 200, "", "TOKEN_REVOKE_PROFILE_TOKENS_SUCCESS"},
		{"profile", revoke("/v1/revoke/profile", func(_ *actor, _ *phone.Phone, profile string) url.Values {
			return url.Values{"profile_id": {profile}}
		}), 200, "", "TOKEN_REVOKE_PROFILE_SUCCESS"},
		{"unknown profile", revoke("/v1/revoke/profile", values(url.Values{"profile_id": {"ZZZZZZ"}})), 200, "", ""},
		{"no profile", revoke("/v1/revoke/profile", values(url.Values{})), 400, "invalid_request", "TOKEN_REVOKE_TOKEN_INVALID"},
	})
}

// TestRemovedProfile: removing a profile ends everything of it, and the installation stays.
func TestRemovedProfile(t *testing.T) {
	a := newActor(t, cluster(t))
	p, profile := a.enrolled(android(), "zoe", a.d.world.androidDevice())
	other := phone.NewProfileID()
	a.signIn(p, other, "yara")
	token := a.refreshToken(p, profile)
	a.step("remove", "TOKEN_REVOKE_PROFILE_SUCCESS", func(ctx context.Context) error { return p.RemoveProfile(ctx, profile) })
	a.step("refresh", "TOKEN_REQUEST_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := refresh(ctx, p, profile, token)
		return refusedAs(err, 400, "invalid_grant")
	})
	a.step("push", "API_ACCESS_GRANTED PUSH_AUTH_INIT_FAILURE_NO_APP_INSTANCE", func(ctx context.Context) error {
		_, err := a.portal().Init(ctx, a.initiation(p, "zoe", typePush))
		return refusedAs(err, 404, "1001")
	})
	a.step("the other user", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
		_, err := p.Refresh(ctx, other, pin)
		return err
	})
}
