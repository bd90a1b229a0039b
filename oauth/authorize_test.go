package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
)

// TestAuthorizeShowsPages: what fails before the redirect address is trusted never leads away from this server.
func TestAuthorizeShowsPages(t *testing.T) {
	s := newBrowserServer(t)
	for _, tc := range []struct {
		name   string
		query  url.Values
		status int
		text   string
		audit  audit.Code
	}{
		{"no client", parameters(""), 400, "not known here", audit.AuthzRequestInvalid},
		{"unknown client", parameters("nobody"), 400, "not known here", audit.AuthzRequestInvalid},
		{"disabled client", parameters("off"), 400, "not known here", audit.AuthzRequestInvalid},
		{"client repeated", url.Values{"client_id": {"web", "web"}}, 400, "not known here", audit.AuthzRequestInvalid},
		{"API version", parameters(phoneNine), 403, "no longer be used", audit.APIVersionNotAllowed},
		{"disabled app version", parameters(phoneOld), 403, "no longer be used", audit.ClientValidationVersionDisabled},
		{"redirect not registered", parameters("web", "redirect_uri", "https://evil.example/"), 400, "not registered", audit.AuthzRequestRedirectUriInvalid},
		{"redirect repeated", url.Values{"client_id": {"web"}, "redirect_uri": {"https://web.example/back", "https://evil.example"}}, 400, "not registered", audit.AuthzRequestRedirectUriInvalid},
		{"redirect missing, several registered", parameters("native"), 400, "not registered", audit.AuthzRequestRedirectUriInvalid},
		{"redirect missing, openid", parameters("web", "scope", "openid"), 400, "not registered", audit.AuthzRequestRedirectUriInvalid},
		{"NUL", parameters("\x00"), 400, "cannot be answered", audit.AuthzRequestInvalid},
		{"no UTF-8", parameters("\xff"), 400, "cannot be answered", audit.AuthzRequestInvalid},
		{"NUL somewhere", parameters("web", "ui_locales", "a\x00"), 400, "cannot be answered", audit.AuthzRequestInvalid},
		{"query too long", parameters("web", "x", strings.Repeat("x", 9000)), 400, "cannot be answered", audit.AuthzRequestInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.visitor(t).get("/oauth/v1/authorize?" + tc.query.Encode())
			if a.Status != tc.status || !strings.Contains(a.Body, tc.text) || a.Header.Get("Location") != "" {
				t.Errorf("%d %q\n%s", a.Status, a.Header.Get("Location"), a.Body)
			}
			for name, want := range map[string]string{
				"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000",
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
			} {
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			wantCodes(t, s, tc.audit)
		})
	}
	t.Run("malformed encoding", func(t *testing.T) {
		a := s.visitor(t).get("/oauth/authorize?client_id=web&state=%zz")
		if a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	})
	t.Run("post with a query", func(t *testing.T) {
		a := s.visitor(t).do(http.MethodPost, "/oauth/authorize?client_id=web", parameters("web"))
		if a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	})
}

// TestAuthorizeAnswersTheClient: what fails afterwards is told to the client, with state and issuer.
func TestAuthorizeAnswersTheClient(t *testing.T) {
	s := newBrowserServer(t)
	repeated := parameters("web")
	repeated["nonce"] = []string{"a", "b"}
	twoStates := parameters("web")
	twoStates["state"] = []string{"a", "b"}
	for _, tc := range []struct {
		name  string
		query url.Values
		error string
		state string
		audit audit.Code

		fragment bool // the answer is one of the implicit grant
	}{
		{"no response type", parameters("web", "response_type", ""), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"repeated parameter", repeated, "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"repeated state", twoStates, "invalid_request", "", audit.AuthzRequestInvalid, false},
		{"state too long", parameters("web", "state", strings.Repeat("s", 2049)), "invalid_request", "", audit.AuthzRequestInvalid, false},
		{"state with a control character", parameters("web", "state", "a\rb"), "invalid_request", "", audit.AuthzRequestInvalid, false},
		{"state beyond ASCII", parameters("web", "state", "zürich"), "invalid_request", "", audit.AuthzRequestInvalid, false},
		{"nonce with a control character", parameters("web", "nonce", "a\nb"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"nonce too long", parameters("web", "nonce", strings.Repeat("n", 513)), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"response mode", parameters("web", "response_mode", "fragment"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"form post to an app", parameters(phoneOne, "response_mode", "form_post"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"unknown response type", parameters("web", "response_type", "code id_token"), "unsupported_response_type", "s1", audit.AuthzRequestInvalidResponseType, false},
		{"implicit", parameters("web", "response_type", "token"), "unauthorized_client", "s1", audit.AuthzRequestInvalidResponseType, true},
		{"grant off", parameters("grantless"), "unauthorized_client", "s1", audit.AuthzRequestInvalidResponseType, false},
		{"no user registration", parameters(phoneNoUser), "unauthorized_client", "s1", audit.AuthzRequestInvalidResponseType, false},
		{"public without PKCE", parameters("asking", "code_challenge", "", "code_challenge_method", ""), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"key installation without PKCE", parameters(phoneTwo, "code_challenge", "", "code_challenge_method", ""), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"plain", parameters("web", "code_challenge", goodVerifier, "code_challenge_method", "plain"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"plain by default", parameters("web", "code_challenge", goodChallenge), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"short challenge", parameters("web", "code_challenge", "abc", "code_challenge_method", "S256"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"method without challenge", parameters("web", "code_challenge_method", "S256"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"scope not allowed", parameters("web", "scope", "read other"), "invalid_scope", "s1", audit.AuthzRequestScopeInvalid, false},
		{"scope malformed", parameters("web", "scope", "read  pay"), "invalid_scope", "s1", audit.AuthzRequestScopeInvalid, false},
		{"no scope", parameters("scopeless"), "invalid_scope", "s1", audit.AuthzRequestScopeInvalid, false},
		{"unknown prompt", parameters("web", "prompt", "dance"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"none is not alone", parameters("web", "prompt", "none login"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"negative max_age", parameters("web", "max_age", "-1"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"two acr values", parameters("web", "idp", "saml", "acr_values", "a b"), "invalid_request", "s1", audit.AuthzRequestInvalid, false},
		{"foreign provider", parameters("web", "idp", "api"), "invalid_request", "s1", audit.UnableToDetermineIdentityProvider, false},
		{"disabled provider", parameters("web", "idp", "closed"), "invalid_request", "s1", audit.UnableToDetermineIdentityProvider, false},
		{"provider without pages", parameters("apionly"), "server_error", "s1", audit.UnableToDetermineIdentityProvider, false},
		{"nobody signed in", parameters("web", "prompt", "none"), "login_required", "s1", audit.AuthnRequestLoginRequired, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := s.visitor(t).get("/oauth/authorize?" + tc.query.Encode())
			back := answerOf(t, a)
			q := back.Query()
			if tc.fragment {
				q, _ = url.ParseQuery(back.Fragment)
			}
			if a.Status != http.StatusFound || q.Get("error") != tc.error || q.Get("state") != tc.state ||
				q.Get("iss") != audittest.Issuer || q.Get("error_description") == "" || q.Has("code") {
				t.Errorf("%d %v", a.Status, q)
			}
			wantCodes(t, s, tc.audit)
		})
	}
}

// TestAuthorizeNamesTheParameter: the developer of a client reads what to change.
func TestAuthorizeNamesTheParameter(t *testing.T) {
	s := newBrowserServer(t)
	for want, query := range map[string]url.Values{
		"code_challenge: missing":                       parameters("asking", "code_challenge", "", "code_challenge_method", ""),
		"code_challenge: method not S256":               parameters("web", "code_challenge", goodChallenge),
		"code_challenge: malformed":                     parameters("web", "code_challenge", "abc", "code_challenge_method", "S256"),
		"response_type: missing":                        parameters("web", "response_type", ""),
		"prompt: none is not alone":                     parameters("web", "prompt", "none login"),
		"max_age: malformed":                            parameters("web", "max_age", "-1"),
		"nonce: too long":                               parameters("web", "nonce", strings.Repeat("n", 513)),
		"response_mode: unsupported":                    parameters("web", "response_mode", "fragment"),
		"id_token_hint: not an ID token of this server": parameters("web", "id_token_hint", "x"),
	} {
		a := s.visitor(t).get("/oauth/authorize?" + query.Encode())
		if got := answerOf(t, a).Query().Get("error_description"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	}
}

func TestAuthorizeWithoutAnyProvider(t *testing.T) {
	s := newBrowserServer(t)
	s.document.IdentityProviders = nil
	s.Settings.Set(s.document)
	a := s.visitor(t).get("/oauth/authorize?" + parameters("web").Encode())
	if q := answerOf(t, a).Query(); q.Get("error") != "server_error" {
		t.Errorf("%v", q)
	}
	wantCodes(t, s, audit.UnableToDetermineIdentityProvider)
}

func TestAuthorizeFailsInTheFormToo(t *testing.T) {
	s := newBrowserServer(t)
	a := s.visitor(t).get("/oauth/authorize?" + parameters("web", "response_mode", "form_post", "scope", "other").Encode())
	form := formOf(a)
	if a.Status != http.StatusOK || form.Get("error") != "invalid_scope" || form.Get("state") != "s1" ||
		!strings.Contains(a.Body, `action="https://web.example/back"`) ||
		!strings.HasSuffix(a.Header.Get("Content-Security-Policy"), "form-action 'self' https://web.example; script-src 'self'") {
		t.Errorf("%d %v\n%s", a.Status, a.Header, a.Body)
	}
	wantCodes(t, s, audit.AuthzRequestScopeInvalid)
}

// TestHeadHasNoEffect: HEAD is answered like GET, without a transaction.
func TestHeadHasNoEffect(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	if a := v.do(http.MethodHead, "/oauth/authorize?"+parameters("web").Encode(), nil); a.Status != http.StatusOK || len(v.cookies) != 0 {
		t.Errorf("%d %v", a.Status, v.cookies)
	}
	for _, key := range s.RedisServer.Keys() {
		t.Errorf("key %s", key)
	}
	wantCodes(t, s)
}

// TestRedirectTricks: a redirect address is a registered one byte for byte, or nothing is sent there.
func TestRedirectTricks(t *testing.T) {
	s := newBrowserServer(t)
	for client, tricks := range map[string][]string{
		"web": {
			"https://web.example/back/", "https://web.example/back/..", "https://web.example/back/../other", "https://web.example/other",
			"https://web.example/back?x=1", "https://web.example/back?", "https://web.example/back#x", "https://web.example/back#",
			"https://WEB.example/back", "HTTPS://web.example/back", "https://web.example/BACK", "https://web.example:443/back",
			"https://web.example.evil.example/back", "https://evil.example/https://web.example/back", "http://web.example/back",
			"https://web.example@evil.example/back", "https://user@web.example/back", "https://web.example%2Fback", "https://web.example/%62ack",
			"https://web.example/%2e%2e/back", "https://web.example/back%00", "https://web.example/back\x00", "https://web.example/back\r\nX: y",
			" https://web.example/back", "https://web.example/back ", "https://web.example\\back", "//web.example/back", "/back", "web.example/back",
			"javascript:alert(1)", "data:text/html,x",
		},
		"native": {
			"http://localhost/back", "http://127.0.0.1:0/back", "http://127.0.0.1:70000/back", "http://127.0.0.1:08/back", "http://127.0.0.1:/back",
			"http://127.0.0.1:80:80/back", "http://127.0.0.1.evil.example/back", "http://127.0.0.1:80@evil.example/back", "http://127.0.0.1:80/other",
			"http://127.0.0.2/back", "https://127.0.0.1:80/back", "http://[::1]:80/other", "http://[::1]evil.example/back", "http://127.0.0.1:9000/back?x",
		},
		phoneOne: {"app://back/", "app://back?x=1", "APP://back", "app:back", "app2://back"},
	} {
		for _, address := range tricks {
			a := s.visitor(t).get("/oauth/authorize?" + parameters(client, "redirect_uri", address).Encode())
			if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
				t.Errorf("%s %q: %d %s", client, address, a.Status, a.Header.Get("Location"))
			}
			wantCodes(t, s, audit.AuthzRequestRedirectUriInvalid)
		}
	}
	for client, good := range map[string][]string{
		"web":    {"https://web.example/back"},
		"native": {"http://127.0.0.1/back", "http://127.0.0.1:80/back", "http://127.0.0.1:65535/back", "http://[::1]/back", "http://[::1]:4711/back"},
		phoneOne: {"app://back"},
	} {
		for _, address := range good {
			a := s.visitor(t).get("/oauth/authorize?" + parameters(client, "redirect_uri", address).Encode())
			if !strings.HasPrefix(a.Header.Get("Location"), "/oauth/door?t=") {
				t.Errorf("%s %q: %d %s", client, address, a.Status, a.Header.Get("Location"))
			}
		}
	}
	wantCodes(t, s)
}
