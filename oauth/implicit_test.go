package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// withImplicit gives the web client the implicit grant.
func withImplicit(t *testing.T, change func(*settings.WebClient)) *browserServer {
	t.Helper()
	s := newBrowserServer(t)
	s.changeWeb(func(c *settings.WebClient) {
		c.Grants = append(c.Grants, settings.Implicit)
		c.RefreshTokenEnabled = true
		if change != nil {
			change(c)
		}
	})
	return s
}

// changeWeb changes the settings of the client "web".
func (s *browserServer) changeWeb(change func(*settings.WebClient)) {
	s.document.WebClients = slices.Clone(s.document.WebClients)
	for i := range s.document.WebClients {
		if s.document.WebClients[i].ID == "web" {
			change(&s.document.WebClients[i])
		}
	}
	s.Settings.Set(s.document)
}

// implicit returns a good request of the implicit grant.
func implicit(kind string, change ...string) url.Values {
	return parameters("web", append([]string{
		"response_type", kind, "scope", "openid read", "redirect_uri", "https://web.example/back", "nonce", "n-1",
	}, change...)...)
}

// fragmentOf returns the parameters in the fragment of an answer.
func fragmentOf(t *testing.T, a audittest.Answer) url.Values {
	t.Helper()
	back := answerOf(t, a)
	if back.RawQuery != "" || back.Scheme+"://"+back.Host+back.Path != "https://web.example/back" {
		t.Errorf("answered at %s", back)
	}
	values, err := url.ParseQuery(back.EscapedFragment())
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestImplicit(t *testing.T) {
	for _, tc := range []struct {
		kind           string
		token, idToken bool
	}{
		{"token", true, false},
		{"id_token", false, true},
		{"id_token token", true, true},
		{"token id_token", true, true},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			s := withImplicit(t, nil)
			v := s.visitor(t)
			a := v.signIn(implicit(tc.kind), "ann", "attribute.name", "Ann")
			answer := fragmentOf(t, a)
			v.wantCodes(audit.AuthzRequestTokenCreated)
			want := []string{"iss", "state"}
			if tc.token {
				want = append(want, "access_token", "token_type", "expires_in", "scope")
			}
			if tc.idToken {
				want = append(want, "id_token")
			}
			for name := range answer {
				if !slices.Contains(want, name) && name != "session_state" {
					t.Errorf("the answer has %s", name)
				}
			}
			if answer.Get("iss") != audittest.Issuer || answer.Get("state") != "s1" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("answer %v", answer)
			}
			if tc.token {
				if answer.Get("token_type") != "bearer" || answer.Get("expires_in") != "900" || answer.Get("scope") != "openid read" {
					t.Errorf("answer %v", answer)
				}
				token, err := s.tokens.Verify(t.Context(), answer.Get("access_token"))
				if err != nil || token.UserID != "ann" || token.ClientID != "web" || token.Kind != store.DefaultToken {
					t.Errorf("token %+v, %v", token, err)
				}
			}
			if tc.idToken {
				claims := claimsInside(t, answer.Get("id_token"))
				if claims["nonce"] != "n-1" || claims["sub"] != "ann" || claims["aud"] != "web" || claims["iss"] != audittest.Issuer || claims["auth_time"] == nil {
					t.Errorf("claims %v", claims)
				}
				sum := sha256.Sum256([]byte(answer.Get("access_token")))
				hash := base64.RawURLEncoding.EncodeToString(sum[:16])
				if got, has := claims["at_hash"]; has != tc.token || has && got != hash {
					t.Errorf("at_hash %v, want %v", got, hash)
				}
			}
			if families, err := s.Store.Families(t.Context(), store.FamilyFilter{UserID: "ann"}); err != nil || len(families) != 0 {
				t.Errorf("refresh tokens %v, %v", families, err)
			}
		})
	}
}

func TestImplicitIsRefused(t *testing.T) {
	s := withImplicit(t, nil)
	for _, tc := range []struct {
		name  string
		query url.Values
		error string
		audit audit.Code
	}{
		{"no nonce", implicit("id_token", "nonce", ""), "invalid_request", audit.AuthzRequestInvalid},
		{"no nonce with a token", implicit("id_token token", "nonce", ""), "invalid_request", audit.AuthzRequestInvalid},
		{"no openid", implicit("id_token", "scope", "read"), "invalid_request", audit.AuthzRequestInvalid},
		{"in the query", implicit("token", "response_mode", "query"), "invalid_request", audit.AuthzRequestInvalid},
		{"unknown mode", implicit("token", "response_mode", "jwt"), "invalid_request", audit.AuthzRequestInvalid},
		{"nobody signed in", implicit("token", "prompt", "none"), "login_required", audit.AuthnRequestLoginRequired},
		{"scope", implicit("token", "scope", "other"), "invalid_scope", audit.AuthzRequestScopeInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer := fragmentOf(t, s.visitor(t).get("/oauth/authorize?"+tc.query.Encode()))
			if answer.Get("error") != tc.error || answer.Get("state") != "s1" || answer.Get("iss") != audittest.Issuer || answer.Has("access_token") {
				t.Errorf("%v", answer)
			}
			wantCodes(t, s, tc.audit)
		})
	}
	for _, kind := range []string{"code token", "code id_token", "code id_token token", "id_token id_token", "Token", "none", "token "} {
		t.Run("unknown "+kind, func(t *testing.T) {
			a := s.visitor(t).get("/oauth/authorize?" + implicit(kind).Encode())
			if q := answerOf(t, a).Query(); q.Get("error") != "unsupported_response_type" {
				t.Errorf("%v", q)
			}
			wantCodes(t, s, audit.AuthzRequestInvalidResponseType)
		})
	}
	t.Run("an app", func(t *testing.T) {
		a := s.visitor(t).get("/oauth/authorize?" + parameters(phoneOne, "response_type", "token").Encode())
		back, _ := url.ParseQuery(answerOf(t, a).Fragment)
		if back.Get("error") != "unauthorized_client" {
			t.Errorf("%v", back)
		}
		wantCodes(t, s, audit.AuthzRequestInvalidResponseType)
	})
	t.Run("code without its grant", func(t *testing.T) {
		s.changeWeb(func(c *settings.WebClient) { c.Grants = []settings.Grant{settings.Implicit} })
		a := s.visitor(t).get("/oauth/authorize?" + parameters("web").Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "unauthorized_client" {
			t.Errorf("%v", q)
		}
		wantCodes(t, s, audit.AuthzRequestInvalidResponseType)
	})
}

// TestImplicitFormPost: the tokens are posted to the client, and stand in no address.
func TestImplicitFormPost(t *testing.T) {
	s := withImplicit(t, nil)
	v := s.visitor(t)
	a := v.signIn(implicit("id_token token", "response_mode", "form_post"), "ann")
	form := formOf(a)
	if a.Status != http.StatusOK || a.Header.Get("Location") != "" || form.Get("access_token") == "" || form.Get("id_token") == "" || form.Get("state") != "s1" {
		t.Errorf("%d %v", a.Status, form)
	}
	if !strings.Contains(a.Body, `action="https://web.example/back"`) {
		t.Errorf("%s", a.Body)
	}
	v.wantCodes(audit.AuthzRequestTokenCreated)
}

// TestImplicitUserGoes: who is disabled or has changed the password between sign-in and answer gets no token.
func TestImplicitUserGoes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*store.Account)
	}{
		{"disabled", func(a *store.Account) { a.Disabled = true }},
		{"password changed", func(a *store.Account) {
			a.SignInsSince = a.SignInsSince.AddDate(100, 0, 0).Add(30 * 365 * 24 * time.Hour)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := withImplicit(t, func(c *settings.WebClient) { c.SkipConsent = false })
			v := s.visitor(t)
			page := v.signIn(implicit("token"), "ann")
			account, err := s.Store.Account(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			tc.change(&account)
			if tc.name == "password changed" {
				account.SignInsSince = s.Now().Add(time.Second)
			}
			if err := s.Store.PutAccount(t.Context(), account); err != nil {
				t.Fatal(err)
			}
			answer := fragmentOf(t, v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept")))
			if answer.Get("error") != "access_denied" || answer.Has("access_token") {
				t.Errorf("%v", answer)
			}
			v.wantCodes(audit.ConsentGiven, audit.AccountSignInFailed)
		})
	}
}

// TestImplicitWithoutKey: there is no answer without a signature.
func TestImplicitWithoutKey(t *testing.T) {
	s := withImplicit(t, nil)
	s.tokens.Ring = noSigner{}
	v := s.visitor(t)
	answer := fragmentOf(t, v.signIn(implicit("id_token token"), "ann"))
	if answer.Get("error") != "server_error" || answer.Has("access_token") || answer.Has("id_token") {
		t.Errorf("%v", answer)
	}
	v.wantCodes(audit.AuthorizationFailedUnableToGenerateIDToken)
}

// TestPlainPKCE: only where the settings allow it, and then the verifier must still be right.
func TestPlainPKCE(t *testing.T) {
	s := newBrowserServer(t)
	s.document.OAuth.PKCEPlainAllowed = true
	s.Settings.Set(s.document)
	for _, tc := range []struct {
		name   string
		change []string
		ok     bool
	}{
		{"plain", []string{"code_challenge", goodVerifier, "code_challenge_method", "plain"}, true},
		{"by default", []string{"code_challenge", goodVerifier}, true},
		{"too short", []string{"code_challenge", "abc"}, false},
		{"unknown method", []string{"code_challenge", goodVerifier, "code_challenge_method", "S512"}, false},
		{"other spelling", []string{"code_challenge", goodVerifier, "code_challenge_method", "s256"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := s.visitor(t)
			if !tc.ok {
				a := v.get("/oauth/authorize?" + parameters("web", tc.change...).Encode())
				if q := answerOf(t, a).Query(); q.Get("error") != "invalid_request" {
					t.Errorf("%v", q)
				}
				v.wantCodes(audit.AuthzRequestInvalid)
				return
			}
			code := answerOf(t, v.signIn(parameters("web", tc.change...), "ann")).Query().Get("code")
			s.Codes(t)
			redeem := func(verifier string) int {
				form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}}
				return audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/token", Basic: []string{"web", "web secret"}, Form: form}).Status
			}
			if got := redeem(goodChallenge); got != http.StatusBadRequest {
				t.Errorf("another verifier: %d", got)
			}
			wantCodes(t, s, audit.TokenRequestInvalidGrant)
			if got := redeem(goodVerifier); got != http.StatusOK {
				t.Errorf("the verifier: %d", got)
			}
			wantCodes(t, s, audit.TokenRequestAccessTokenCreated)
		})
	}
	t.Run("per client", func(t *testing.T) {
		s.changeWeb(func(c *settings.WebClient) { c.RequirePKCE = true })
		a := s.visitor(t).get("/oauth/authorize?" + parameters("web").Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "invalid_request" {
			t.Errorf("%v", q)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	})
}
