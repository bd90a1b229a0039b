package oauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// appToken makes an access token of ann's app.
func (s *browserServer) appToken(t *testing.T, change func(*token.Grant)) string {
	t.Helper()
	g := token.Grant{
		ClientID: phoneOne, ProfileID: "AB12CD", UserID: "ann", Kind: store.DefaultToken, Application: "app", Platform: "ios", Version: "1.0",
		Scopes: []string{"read", "access:device-authorization:approve"}, AccessLife: time.Hour, AuthTime: s.Now(), ACR: "2", AMR: []string{"pwd"},
	}
	if change != nil {
		change(&g)
	}
	var issued token.Issued
	err := s.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		issued, err = s.tokens.Issue(ctx, g)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued.AccessToken
}

func TestDeviceApprovalInTheApp(t *testing.T) {
	s := newDeviceServer(t)
	err := s.Store.AddProfile(t.Context(), store.Profile{ClientID: phoneOne, ProfileID: "AB12CD", UserID: "ann", CreatedAt: s.Now(), LastLogin: s.Now()})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/oauth/device_authorization/approve"
	good := s.appToken(t, nil)
	for name, request := range map[string]func(code string) audittest.Request{
		"query": func(code string) audittest.Request {
			return audittest.Request{Path: path + "?user_code=" + strings.ToLower(code)}
		},
		"form": func(code string) audittest.Request {
			return audittest.Request{Path: path, Form: pairs("user_code", code[:4]+"-"+code[4:])}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := s.startDevice(t)
			r := request(d.UserCode)
			r.Bearer = good
			if a := audittest.Do(t, s.handler, r); a.Status != http.StatusNoContent || a.Body != "" {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			wantCodes(t, s, audit.AuthzRequestDeviceGrantCreated)
			a := s.poll(t, "tv", d.DeviceCode)
			if a.Status != http.StatusOK {
				t.Fatalf("poll: %d %s", a.Status, a.Body)
			}
			wantCodes(t, s, audit.TokenRequestAccessTokenCreated)
			if a := audittest.Do(t, s.handler, r); a.Status != http.StatusConflict ||
				a.Body != `{"error":"already_authorized","error_description":"the device login has been decided already"}` {
				t.Errorf("again: %d %s", a.Status, a.Body)
			}
			wantCodes(t, s, audit.DeviceAuthzApprovalRefused)
		})
	}
	d := s.startDevice(t, "scope", "read")
	greedy := s.startDevice(t, "scope", "read pay")
	badToken := `{"error":"invalid_token","error_description":"the access token is not good for this request"}`
	for _, tc := range []struct {
		name, bearer, query string
		status              int
		want                string
		audit               audit.Code
	}{
		{
			name: "no token", query: "?user_code=" + d.UserCode, status: 400, audit: audit.TokenRequestInvalidBearerToken,
			want: `{"error":"invalid_request","error_description":"the access token is missing"}`,
		},
		{name: "unknown token", bearer: "x", query: "?user_code=" + d.UserCode, status: 401, want: badToken, audit: audit.TokenRequestInvalidBearerToken},
		{
			name: "implicit token", query: "?user_code=" + d.UserCode, status: 401, want: badToken, audit: audit.TokenRequestInvalidAccessToken,
			bearer: s.appToken(t, func(g *token.Grant) { g.Kind = store.ImplicitToken }),
		},
		{
			name: "token of a web client", query: "?user_code=" + d.UserCode, status: 401, want: badToken, audit: audit.TokenRequestInvalidAccessToken,
			bearer: s.appToken(t, func(g *token.Grant) {
				g.ClientID, g.ProfileID, g.Application, g.Platform, g.Version = "web", token.StaticProfile, "", "", ""
			}),
		},
		{
			name: "disabled version", query: "?user_code=" + d.UserCode, status: 401, want: badToken, audit: audit.TokenRequestInvalidAccessToken,
			bearer: s.appToken(t, func(g *token.Grant) { g.Version = "0.9" }),
		},
		{
			name: "without the scope", query: "?user_code=" + d.UserCode, status: 403, audit: audit.DeviceAuthzApprovalRefused,
			bearer: s.appToken(t, func(g *token.Grant) { g.Scopes = []string{"read"} }),
			want:   `{"error":"access_denied","error_description":"the access token may not approve device logins"}`,
		},
		{
			name: "no code", bearer: good, status: 400, audit: audit.DeviceAuthzApprovalRefused,
			want: `{"error":"invalid_request","error_description":"send one user_code, in the form or in the query"}`,
		},
		{
			name: "two codes", bearer: good, query: "?user_code=a&user_code=b", status: 400, audit: audit.DeviceAuthzApprovalRefused,
			want: `{"error":"invalid_request","error_description":"send one user_code, in the form or in the query"}`,
		},
		{
			name: "unknown code", bearer: good, query: "?user_code=BBBBBBBB", status: 400, audit: audit.DeviceAuthzApprovalRefused,
			want: `{"error":"expired_token","error_description":"the user code is unknown or has expired"}`,
		},
		{
			name: "more than the app has", bearer: good, query: "?user_code=" + greedy.UserCode, status: 403, audit: audit.DeviceAuthzApprovalRefused,
			want: `{"error":"insufficient_scope","error_description":"the device asks for more than the access token has"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := audittest.Do(t, s.handler, audittest.Request{Path: path + tc.query, Bearer: tc.bearer})
			if a.Status != tc.status || a.Body != tc.want {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			wantCodes(t, s, tc.audit)
		})
	}
	t.Run("guesses", func(t *testing.T) {
		for range 4 { // and one above
			audittest.Do(t, s.handler, audittest.Request{Path: path + "?user_code=BBBBBBBB", Bearer: good})
		}
		s.Codes(t)
		if a := audittest.Do(t, s.handler, audittest.Request{Path: path + "?user_code=" + d.UserCode, Bearer: good}); a.Status != http.StatusTooManyRequests {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s, audit.RateLimitExceeded)
	})
	t.Run("account disabled", func(t *testing.T) {
		s.put(t, store.Account{ID: "ann", Username: "ann", Disabled: true})
		if a := audittest.Do(t, s.handler, audittest.Request{Path: path + "?user_code=" + d.UserCode, Bearer: good}); a.Status != 401 || a.Body != badToken {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s, audit.TokenRequestInvalidAccessToken)
	})
}
