package e2e_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"tokenserver/phone"
)

// accessToken returns the access token of a signed-in profile.
func (a *actor) accessToken(p *phone.Phone, profile string) string {
	a.t.Helper()
	token, err := p.AccessToken(profile)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.d.secret(token)
}

// refreshToken uncovers the refresh token of a profile, as only the right PIN can.
func (a *actor) refreshToken(p *phone.Phone, profile string) string {
	a.t.Helper()
	token, err := p.Unmask(profile, pin)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.d.secret(token)
}

// revokeAccessToken revokes the access token of a profile behind the back of the phone.
func (a *actor) revokeAccessToken(p *phone.Phone, profile string) {
	a.t.Helper()
	token := a.accessToken(p, profile)
	a.begin()
	a.do(p, phone.Request{Path: "/v1/revoke", ClientAuth: true, Form: url.Values{"token": {token}, "token_type_hint": {"access_token"}}})
	a.begin()
}

// machine asks the token endpoint as a web client.
func machine(client string, form url.Values) func(*actor) ending {
	return func(a *actor) ending {
		return a.send(request{path: "/v1/token", basic: []string{client, a.d.world.secret}, form: form}).ended()
	}
}

// redeem exchanges a code after something was changed.
func redeem(change func(*phone.Authorization, *string, *string)) func(*actor) ending {
	return func(a *actor) ending {
		p := a.registered(android())
		authorization, code := a.authorized(p, "sam")
		profile := phone.NewProfileID()
		change(authorization, &code, &profile)
		a.begin()
		_, err := p.Exchange(a.t.Context(), authorization, code, profile)
		return a.ended(err)
	}
}

// authorized walks a phone's user to a code.
func (a *actor) authorized(p *phone.Phone, user string) (authorization *phone.Authorization, code string) {
	a.t.Helper()
	a.quietly("authorize", func(ctx context.Context) (err error) {
		if authorization, err = p.Authorize(ctx, []string{"openid", "read"}, nil); err != nil {
			return err
		}
		redirect, err := a.person(user).Open(ctx, authorization.URL, authorization.RedirectURI)
		if err != nil {
			return err
		}
		code, err = p.CodeFrom(ctx, authorization, redirect)
		return err
	})
	a.begin()
	return authorization, a.d.secret(code)
}

// refresh presents any refresh token for a profile.
func refresh(ctx context.Context, p *phone.Phone, profile, token string) (*phone.TokenAnswer, error) {
	return p.Token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "profile_id": {profile}})
}

func TestToken(t *testing.T) {
	credentials := url.Values{"grant_type": {"client_credentials"}}
	runRows(t, cluster(t), []row{
		{"client credentials", machine(webClient, url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}), 200, "", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
		{"no grant type", machine(webClient, url.Values{"scope": {"read"}}), 400, "invalid_request", "TOKEN_REQUEST_INVALID"},
		{"no code", machine(webClient, url.Values{"grant_type": {"authorization_code"}}), 400, "invalid_request", "TOKEN_REQUEST_INVALID"},
		{"unknown grant type", machine(webClient, url.Values{"grant_type": {"magic"}}), 400, "unsupported_grant_type", "TOKEN_REQUEST_UNSUPPORTED_GRANT_TYPE"},
		{"grant of another client", machine(codeOnly, credentials), 400, "unauthorized_client", "TOKEN_REQUEST_DISABLED_GRANT_TYPE"},
		{"flow switched off", func(a *actor) ending {
			app := android()
			app.Identifier = "no-flows"
			_, err := a.registered(app).ClientToken(a.t.Context())
			return a.ended(err)
		}, 400, "unauthorized_client", "TOKEN_REQUEST_DISABLED_GRANT_TYPE"},
		{"scope of nobody", machine(webClient, url.Values{"grant_type": {"client_credentials"}, "scope": {"unused"}}), 400, "invalid_scope", "TOKEN_REQUEST_SCOPE_INVALID"},
		{"unknown client", machine("nobody", credentials), 401, "invalid_client", "TOKEN_REQUEST_INVALID_CLIENT"},
		{"disabled client", machine("web-disabled", credentials), 401, "invalid_client", "TOKEN_REQUEST_INVALID_CLIENT"},
		{"wrong secret", func(a *actor) ending {
			return a.send(request{path: "/v1/token", basic: []string{webClient, "wrong"}, form: credentials}).ended()
		}, 401, "invalid_client", "TOKEN_REQUEST_INVALID_CLIENT_CREDENTIALS"},
		{
			"unknown code", machine(webClient, url.Values{"grant_type": {"authorization_code"}, "code": {randomHex(32)}, "redirect_uri": {webAddress}}),
			400, "invalid_grant", "TOKEN_REQUEST_INVALID_GRANT",
		},

		{"code", redeem(func(*phone.Authorization, *string, *string) {}), 200, "", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED"},
		{"wrong verifier", redeem(func(z *phone.Authorization, _, _ *string) { z.CodeVerifier = randomText(32) }), 400, "invalid_grant", "TOKEN_REQUEST_INVALID_GRANT"},
		{"other redirect address", redeem(func(z *phone.Authorization, _, _ *string) { z.RedirectURI = "harbour://other" }), 400, "invalid_grant", "TOKEN_REQUEST_INVALID_GRANT"},
		{"malformed profile", redeem(func(_ *phone.Authorization, _, profile *string) { *profile = "?" }), 400, "invalid_request", "TOKEN_REQUEST_INVALID_PROFILE_ID"},
		{"profile of another user", func(a *actor) ending {
			p, profile := a.signedIn(android(), "tess")
			authorization, code := a.authorized(p, "uma")
			_, err := p.Exchange(a.t.Context(), authorization, code, profile)
			return a.ended(err)
		}, 400, "invalid_request", "TOKEN_REQUEST_INVALID_PROFILE_ID"},
		{"code used before", func(a *actor) ending {
			p, profile := a.registered(android()), phone.NewProfileID()
			authorization, code := a.authorized(p, "sam")
			a.quietly("first", func(ctx context.Context) error { _, err := p.Exchange(ctx, authorization, code, profile); return err })
			a.begin()
			_, err := p.Exchange(a.t.Context(), authorization, code, profile)
			return a.ended(err)
		}, 400, "invalid_grant", "TOKEN_REQUEST_INVALID_GRANT"},

		{"refresh", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			_, err := p.Refresh(a.t.Context(), profile, pin)
			return a.ended(err)
		}, 200, "", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED"},
		{"refresh for more", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			_, err := p.Token(a.t.Context(), url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {a.refreshToken(p, profile)}, "profile_id": {profile}, "scope": {"openid read pay"},
			})
			return a.ended(err)
		}, 400, "invalid_scope", "TOKEN_REQUEST_SCOPE_INVALID"},
		{"wrong PIN", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			_, err := p.Refresh(a.t.Context(), profile, wrongPIN)
			return a.ended(err)
		}, 400, "invalid_grant", "TOKEN_REQUEST_INVALID_REFRESH_TOKEN"},
		{"wrong PIN too often", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			for range 2 {
				a.begin()
				if _, err := p.Refresh(a.t.Context(), profile, wrongPIN); err == nil {
					a.t.Fatal("a wrong PIN refreshed")
				}
			}
			a.begin()
			_, err := p.Refresh(a.t.Context(), profile, wrongPIN)
			return a.ended(err)
		}, 400, "invalid_grant", "TOKEN_REQUEST_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED"},
		{"refresh token used again after its successor", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			first := a.refreshToken(p, profile)
			a.quietly("rotate twice", func(ctx context.Context) error {
				if _, err := p.Refresh(ctx, profile, pin); err != nil {
					return err
				}
				_, err := p.Refresh(ctx, profile, pin)
				return err
			})
			a.begin()
			_, err := refresh(a.t.Context(), p, profile, first)
			return a.ended(err)
		}, 400, "invalid_grant", "TOKEN_REQUEST_INVALID_REFRESH_TOKEN"},
		{"no refresh token", func(a *actor) ending {
			p, profile := a.signedIn(android(), "vic")
			_, err := p.Token(a.t.Context(), url.Values{"grant_type": {"refresh_token"}, "profile_id": {profile}})
			return a.ended(err)
		}, 400, "invalid_request", "TOKEN_REQUEST_INVALID"},
	})
}

// introspect asks as a resource gateway does.
func (a *actor) introspect(token string) *answer {
	a.t.Helper()
	return a.send(request{path: "/api/v2/token/introspect", basic: []string{gatewayClient, a.d.world.secret}, form: url.Values{"token": {token}}})
}

// inactive asks until a revoked token is inactive on every process, and returns the last "active".
func (a *actor) inactive(token string) string {
	a.t.Helper()
	deadline, inARow := time.Now().Add(spreadTime), 0
	for {
		a.begin()
		active := a.introspect(token).member("active")
		if active == "false" {
			inARow++
		} else {
			inARow = 0
		}
		if inARow == 2*len(a.d.servers) || time.Now().After(deadline) {
			return active
		}
		time.Sleep(pollEvery)
	}
}

func TestIntrospection(t *testing.T) {
	introspect := func(token func(*actor) string) func(*actor) ending {
		return func(a *actor) ending {
			text := token(a)
			a.begin()
			answer := a.introspect(text)
			if answer.status != 200 {
				return answer.ended()
			}
			return ending{answer.status, "active " + answer.member("active")}
		}
	}
	runRows(t, cluster(t), []row{
		{
			"of a user", introspect(func(a *actor) string { return a.accessToken(a.signedIn(android(), "wes")) }),
			200, "active true", "API_ACCESS_GRANTED TOKEN_REQUEST_ACCESS_TOKEN_VALIDATED",
		},
		{"unknown", introspect(func(*actor) string { return randomHex(32) }), 200, "active false", "API_ACCESS_GRANTED TOKEN_REQUEST_INVALID_BEARER_TOKEN"},
		{"revoked", introspect(func(a *actor) string {
			p, profile := a.signedIn(android(), "wes")
			token := a.accessToken(p, profile)
			a.revokeAccessToken(p, profile)
			return token
		}), 200, "active false", "API_ACCESS_GRANTED TOKEN_REQUEST_INVALID_ACCESS_TOKEN"},
		{"of a removed profile, on every process", func(a *actor) ending {
			p, profile := a.signedIn(android(), "wes")
			token := a.accessToken(p, profile)
			a.quietly("remove profile", func(ctx context.Context) error { return p.RemoveProfile(ctx, profile) })
			return ending{200, "active " + a.inactive(token)}
		}, 200, "active false", "API_ACCESS_GRANTED TOKEN_REQUEST_INVALID_ACCESS_TOKEN"},
		{"wrong scope", func(a *actor) ending {
			return a.send(request{
				path: "/api/v2/token/introspect", basic: []string{portalClient, a.d.world.secret}, form: url.Values{"token": {randomHex(32)}},
			}).ended()
		}, 403, "insufficient_scope", "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES"},
	})
}

func TestAPIAccess(t *testing.T) {
	events := func(basic ...string) func(*actor) ending {
		return func(a *actor) ending {
			credentials := basic
			if len(basic) == 1 {
				credentials = []string{basic[0], a.d.world.secret}
			}
			return a.send(request{path: "/api/v1/events?size=1", basic: credentials}).ended()
		}
	}
	runRows(t, cluster(t), []row{
		{"granted", events(auditClient), 200, "", "API_ACCESS_GRANTED API_EVENTS_LISTED"},
		{"no credentials", events(), 401, "unauthorized", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"},
		{"wrong secret", events(auditClient, "wrong"), 401, "unauthorized", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"},
		{"unknown client", events("nobody", "wrong"), 401, "unauthorized", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"},
		{"web client without client credentials", events(codeOnly), 403, "forbidden", "API_ACCESS_NOT_ALLOWED_DISABLED_GRANT_TYPE"},
		{"scope missing", events(gatewayClient), 403, "forbidden", "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES"},
		{"bad query", func(a *actor) ending {
			return a.send(request{path: "/api/v1/events?size=0", basic: []string{auditClient, a.d.world.secret}}).ended()
		}, 400, "invalid_request", "API_ACCESS_GRANTED"},
	})
}
