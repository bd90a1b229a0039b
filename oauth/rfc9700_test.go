package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// TestRFC9700 holds the attacks of the security best current practice, one row each: what somebody tries, and that it
// leads nowhere. The rows on JWTs are in TestJWTTricks.
func TestRFC9700(t *testing.T) {
	for _, row := range []struct {
		name    string // what is tried
		section string // of RFC 9700
		try     func(t *testing.T, s *browserServer)
	}{
		{"redirect address of somebody else", "4.1", redirectTricks},
		{"redirect address repeated", "4.1", redirectRepeated},
		{"redirect address of the transaction changed on the way", "4.1", redirectOnTheWay},
		{"another port on a loopback address", "4.1.3", loopbackPorts},
		{"code without its verifier", "2.1.1, 4.5", codeWithoutVerifier},
		{"code with a wrong verifier", "2.1.1, 4.5", codeWithWrongVerifier},
		{"PKCE left out and a verifier sent", "4.8", pkceDowngrade},
		{"code used again", "4.5", codeAgain},
		{"code used at the same time", "4.5", codeAtOnce},
		{"code of another client", "4.5", codeOfAnother},
		{"mix-up of authorization servers", "4.4", issuerInEveryAnswer},
		{"implicit grant where it is not set up", "2.1.2", implicitByDefault},
		{"resource owner's session used by another site", "4.7", crossSite},
		{"forged forms", "4.7", forgedForms},
		{"forged Host and X-Forwarded headers", "4.13", forgedHeaders},
		{"prompt=none without a session", "4.11", silentWithoutSession},
		{"header injection through state", "4.11", stateInjection},
		{"pages in frames, credentials in 307", "4.12, 4.16", framesAndRedirects},
		{"scripts of other origins", "4.17", noCORS},
		{"access token in the query", "4.3.2", tokenInQuery},
		{"oversized and nested input", "", oversizedInput},
		{"same answer for unknown and known clients", "", sameAnswerForClients},
		{"same answer for unknown and known users", "", sameAnswerForUsers},
	} {
		t.Run(row.name, func(t *testing.T) { row.try(t, newBrowserServer(t)) })
	}
}

// refusedPage asserts an error page that leads nowhere.
func refusedPage(t *testing.T, a audittest.Answer) {
	t.Helper()
	if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" || strings.Contains(a.Body, "evil") {
		t.Errorf("%d %q %s", a.Status, a.Header.Get("Location"), a.Body)
	}
}

func redirectTricks(t *testing.T, s *browserServer) {
	for _, offered := range []string{
		"https://web.example/other", "https://web.example/back/", "https://web.example/", "https://web.example", "https://web.example//back",
		"https://web.example/./back", "https://web.example/x/../back", "https://web.example/%2e%2e/back", "https://web.example/%252e%252e/back",
		"https://web.example/b%61ck", "https://web.example/back%2f..", "https://web.example/back%00", "https://web.example/back;x",
		"https://web.example@evil.example/back", "https://evil@web.example/back", "https://web.example:pass@evil.example/back", "https://web.example%40evil.example/back",
		"https://web.example:443/back", "https://web.example:8443/back", "https://web.example:/back",
		"https://WEB.example/back", "https://web.example/Back", "HTTPS://web.example/back", "http://web.example/back",
		"https://web.example/back#", "https://web.example/back#x", "https://web.example/back?", "https://web.example/back?x=1", "https://web.example/back&x=1",
		"https://web.example/back\x00", "https://web.example/back\t", "https://web.example/back\r\nLocation: https://evil.example", "https://web.example/back%0d%0a",
		" https://web.example/back", "https://web.example/back ", "\thttps://web.example/back", "https://web.example/\u202eback",
		"https://web.example\\@evil.example/back", "https://web.example\\back", "https:\\\\web.example\\back",
		"https://web.example.evil.example/back", "https://evil-web.example/back", "https://webxexample/back", "https://www.web.example/back", "https://example/back",
		"https://w\u0435b.example/back", "https://xn--wb-llc.example/back", "https://web\uff0eexample/back", "https://web.example./back",
		"//web.example/back", "/back", "back", "https:/web.example/back", "https:web.example/back", "https:///web.example/back",
		"javascript://web.example/back%0aalert(1)", "data:text/html,x", "ftp://web.example/back", "app://back", "file:///back",
		"https://asking.example/back?x=1", "https://[::1]/back", "https://127.0.0.1/back", "\xff\xfe",
	} {
		a := s.visitor(t).get("/oauth/authorize?" + parameters("web", "redirect_uri", offered).Encode())
		if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%q: %d %q", offered, a.Status, a.Header.Get("Location"))
		}
		if got := s.Codes(t); !slices.Equal(got, []audit.Code{audit.AuthzRequestRedirectUriInvalid}) {
			t.Errorf("%q: audit %v", offered, got)
		}
	}
}

func redirectRepeated(t *testing.T, s *browserServer) {
	q := parameters("web")
	for _, both := range [][]string{
		{"https://web.example/back", "https://evil.example/"},
		{"https://evil.example/", "https://web.example/back"},
		{"https://web.example/back", "https://web.example/back"},
	} {
		q["redirect_uri"] = both
		refusedPage(t, s.visitor(t).get("/oauth/authorize?"+q.Encode()))
		wantCodes(t, s, audit.AuthzRequestRedirectUriInvalid)
	}
	q = parameters("web")
	q["client_id"] = []string{"web", "asking"}
	refusedPage(t, s.visitor(t).get("/oauth/authorize?"+q.Encode()))
	wantCodes(t, s, audit.AuthzRequestInvalid)
}

// redirectOnTheWay: an address that is taken from the settings while the user signs in gets nothing any more.
func redirectOnTheWay(t *testing.T, s *browserServer) {
	v := s.visitor(t)
	at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
	back := v.get(at + "&user=ann").Header.Get("Location")
	s.changeWeb(func(c *settings.WebClient) { c.RedirectURLs = []string{"https://new.example/"} })
	refusedPage(t, v.get(back))
	wantCodes(t, s, audit.AuthzRequestRedirectUriInvalid)
}

func loopbackPorts(t *testing.T, s *browserServer) {
	for offered, good := range map[string]bool{
		"http://127.0.0.1:49152/back": true, "http://127.0.0.1/back": true, "http://[::1]:6000/back": true,
		"http://127.0.0.1:49152/other": false, "http://127.0.0.1:0/back": false, "http://127.0.0.1:65536/back": false, "http://127.0.0.1:080/back": false,
		"http://127.0.0.1:80@evil.example/back": false, "http://127.0.0.1.evil.example/back": false, "http://localhost:49152/back": false,
		"http://127.0.0.2/back": false, "https://127.0.0.1:49152/back": false, "http://127.1/back": false,
	} {
		a := s.visitor(t).get("/oauth/authorize?" + parameters("native", "redirect_uri", offered).Encode())
		if sent := a.Status == http.StatusFound && strings.HasPrefix(a.Header.Get("Location"), "/oauth/door"); sent != good {
			t.Errorf("%q: %d %s", offered, a.Status, a.Header.Get("Location"))
		}
		if want := map[bool][]audit.Code{true: {}, false: {audit.AuthzRequestRedirectUriInvalid}}[good]; !slices.Equal(s.Codes(t), want) {
			t.Errorf("%q: audit", offered)
		}
	}
}

// pkce is what a good request of the web client has besides.
var pkce = []string{"code_challenge", goodChallenge, "code_challenge_method", "S256"}

// refusedCode asserts that a code is worth nothing for a request, and why; and that its owner can still redeem it.
func refusedCode(t *testing.T, s *browserServer, r audittest.Request, reason string) {
	t.Helper()
	if status, got := redeem(t, s, r); status != http.StatusBadRequest || got.Error != "invalid_grant" || got.AccessToken != "" {
		t.Errorf("%d %+v", status, got)
	}
	if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, reason) {
		t.Errorf("audit %s", got)
	}
}

func codeWithoutVerifier(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web", pkce...))
	refusedCode(t, s, redemption("web", code), "code_verifier missing")
	if status, _ := redeem(t, s, redemption("web", code, "code_verifier", goodVerifier)); status != http.StatusOK {
		t.Errorf("its owner: %d", status)
	}
}

func codeWithWrongVerifier(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web", pkce...))
	for _, verifier := range []string{
		goodChallenge, strings.Repeat("a", 43), goodVerifier + "a", goodVerifier[:43-1] + "l", strings.ToLower(goodVerifier), "x", strings.Repeat("a", 129), goodVerifier + "=",
	} {
		refusedCode(t, s, redemption("web", code, "code_verifier", verifier), "code_verifier")
	}
	if status, _ := redeem(t, s, redemption("web", code, "code_verifier", goodVerifier)); status != http.StatusOK {
		t.Errorf("its owner: %d", status)
	}
}

func pkceDowngrade(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web"))
	refusedCode(t, s, redemption("web", code, "code_verifier", goodVerifier), "code_verifier without code_challenge")
	for _, q := range []url.Values{
		parameters("web", "code_challenge", goodVerifier, "code_challenge_method", "plain"), parameters("web", "code_challenge", goodVerifier),
		parameters("asking", "code_challenge", "", "code_challenge_method", ""), parameters("asking", "code_challenge_method", ""),
	} {
		a := s.visitor(t).get("/oauth/authorize?" + q.Encode())
		if got := answerOf(t, a).Query().Get("error"); got != "invalid_request" {
			t.Errorf("%v: %s", q, got)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	}
}

func codeAgain(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web", pkce...))
	request := redemption("web", code, "code_verifier", goodVerifier)
	_, first := redeem(t, s, request)
	s.Codes(t)
	refusedCode(t, s, request, "replay")
	if err := live(t, s, first.AccessToken); err == nil {
		t.Error("the tokens of the first use live on")
	}
}

func codeAtOnce(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web", pkce...))
	answers := make([]grantAnswer, 10)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { _, answers[i] = redeem(t, s, redemption("web", code, "code_verifier", goodVerifier)) })
	}
	group.Wait()
	won := 0
	for _, a := range answers {
		if a.AccessToken == "" {
			continue
		}
		won++
		if err := live(t, s, a.AccessToken); err == nil {
			t.Error("the tokens of a code that was shown twice live on")
		}
	}
	if codes := s.Codes(t); won != 1 || len(codes) != len(answers) || count(codes, audit.TokenRequestInvalidGrant) != len(answers)-1 {
		t.Errorf("%d won, audit %v", won, codes)
	}
}

func codeOfAnother(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("asking"))
	refusedCode(t, s, redemption("web", code, "code_verifier", goodVerifier), "other client")
	refusedCode(t, s, redemption(phoneOne, code), "other client")
	refusedCode(t, s, redemption("asking", code, "redirect_uri", "https://web.example/back"), "redirect_uri")
	if status, _ := redeem(t, s, redemption("asking", code)); status != http.StatusOK {
		t.Errorf("its owner: %d", status)
	}
}

func issuerInEveryAnswer(t *testing.T, s *browserServer) {
	s.changeWeb(func(c *settings.WebClient) { c.Grants = append(c.Grants, settings.Implicit) })
	v := s.visitor(t)
	fragment := func(a audittest.Answer) url.Values {
		values, err := url.ParseQuery(answerOf(t, a).EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	for name, got := range map[string]url.Values{
		"code":            answerOf(t, v.signIn(parameters("web"), "ann")).Query(),
		"error":           answerOf(t, v.get("/oauth/authorize?"+parameters("web", "scope", "other").Encode())).Query(),
		"token":           fragment(v.follow(v.get("/oauth/authorize?" + parameters("web", "response_type", "token").Encode()))),
		"error, fragment": fragment(v.get("/oauth/authorize?" + parameters("web", "response_type", "token", "scope", "other").Encode())),
		"form":            formOf(v.follow(v.get("/oauth/authorize?" + parameters("web", "response_mode", "form_post").Encode()))),
		"error, form":     formOf(v.get("/oauth/authorize?" + parameters("web", "response_mode", "form_post", "scope", "other").Encode())),
		"app":             answerOf(t, s.visitor(t).signIn(parameters(phoneQuick), "ann")).Query(),
	} {
		if got.Get("iss") != audittest.Issuer || len(got["iss"]) != 1 || got.Get("state") != "s1" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func implicitByDefault(t *testing.T, s *browserServer) {
	for _, kind := range []string{"token", "id_token", "id_token token"} {
		for _, client := range []string{"web", "asking", phoneOne} {
			a := s.visitor(t).get("/oauth/authorize?" + parameters(client, "response_type", kind, "nonce", "n").Encode())
			if strings.Contains(a.Header.Get("Location"), "access_token") || !strings.Contains(a.Header.Get("Location"), "unauthorized_client") {
				t.Errorf("%s %s: %s", client, kind, a.Header.Get("Location"))
			}
			wantCodes(t, s, audit.AuthzRequestInvalidResponseType)
		}
	}
}

// crossSite: cookies do not travel with the forms of other sites, scripts cannot read them, other hosts cannot set them.
func crossSite(t *testing.T, s *browserServer) {
	a := s.visitor(t).get("/oauth/authorize?" + parameters("web").Encode())
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	cookies := append((&http.Response{Header: a.Header}).Cookies(), (&http.Response{Header: v.get("/oauth/authorize?" + parameters("web", "prompt", "login").Encode()).Header}).Cookies()...)
	if len(cookies) < 2 {
		t.Fatalf("%d cookies", len(cookies))
	}
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %+v", c)
		}
	}
}

func forgedForms(t *testing.T, s *browserServer) {
	_, _, form := asking(t, s)
	stranger := s.visitor(t)
	refusedPage(t, stranger.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept")))
	wantCodes(t, s, audit.ConsentCSRFInvalid)
	s, messages := stepping(t)
	_, page := atStepUp(t, s)
	refusedPage(t, s.visitor(t).typeCode(page, "code", messages.code(t)))
	wantCodes(t, s, audit.SMSStepUpCSRFInvalid)
	if given, err := s.Store.ConsentsOfUser(t.Context(), "ann"); err != nil || len(given) != 0 {
		t.Errorf("stored %v, %v", given, err)
	}
}

func forgedHeaders(t *testing.T, s *browserServer) {
	v := s.visitor(t)
	v.header = http.Header{
		"Host": {"evil.example"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/evil"},
		"Forwarded": {"host=evil.example;proto=http"}, "X-Original-Url": {"/evil"}, "X-Rewrite-Url": {"/evil"}, "X-Forwarded-For": {"203.0.113.9"},
	}
	back := answerOf(t, v.signIn(parameters("web"), "ann"))
	if back.Host != "web.example" || back.Query().Get("iss") != audittest.Issuer {
		t.Errorf("%s", back)
	}
	for _, path := range []string{"/oauth/.well-known/openid-configuration"} {
		if a := v.get(path); strings.Contains(a.Body, "evil") || !strings.Contains(a.Body, audittest.Issuer) {
			t.Errorf("%s: %s", path, a.Body)
		}
	}
	for _, e := range s.Events(t) {
		if e.ClientIP != "192.0.2.1" {
			t.Errorf("the address of the caller is %s", e.ClientIP)
		}
	}
}

func silentWithoutSession(t *testing.T, s *browserServer) {
	v := s.visitor(t)
	v.cookies["__Host-ts-session"] = "forged"
	for range 2 {
		a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
		if q := answerOf(t, a).Query(); a.Status != http.StatusFound || q.Get("error") != "login_required" || q.Has("code") {
			t.Errorf("%d %v", a.Status, q)
		}
		wantCodes(t, s, audit.AuthnRequestLoginRequired)
	}
}

func stateInjection(t *testing.T, s *browserServer) {
	for _, state := range []string{"a\r\nSet-Cookie: x=y", "a\nb", "a\x7fb", "a\u2028b", "\x1b[2J"} {
		a := s.visitor(t).get("/oauth/authorize?" + parameters("web", "state", state).Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "invalid_request" || q.Has("state") || a.Header.Get("X") != "" {
			t.Errorf("%q: %v", state, q)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	}
	for _, state := range []string{"%0d%0aSet-Cookie: x=y", "&code=evil&iss=evil", "#access_token=evil", `"><script>alert(1)</script>`, "a+b %2B"} {
		for _, mode := range []string{"query", "form_post"} {
			v := s.visitor(t)
			a := v.signIn(parameters("web", "state", state, "response_mode", mode), "ann")
			got := formOf(a)
			if mode == "query" {
				got = answerOf(t, a).Query()
			}
			if got.Get("state") != state || len(got["code"]) != 1 || got.Get("iss") != audittest.Issuer || strings.Contains(a.Body, "<script>alert") ||
				strings.ContainsAny(a.Header.Get("Location"), "\r\n#<> ") {
				t.Errorf("%q as %s: %v %s", state, mode, got, a.Header.Get("Location"))
			}
			s.Codes(t)
		}
	}
}

func framesAndRedirects(t *testing.T, s *browserServer) {
	v, at, form := asking(t, s)
	for name, a := range map[string]audittest.Answer{"page": v.get(at), "error": v.get("/oauth/authorize")} {
		if a.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" || strings.Contains(a.Header.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	a := v.do(http.MethodPost, "/oauth/consent", formOf(v.get(at), "decision", "accept"))
	if a.Status != http.StatusSeeOther || a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer: %d %v", a.Status, a.Header)
	}
	a = s.visitor(t).do(http.MethodPost, "/oauth/authorize", parameters("web"))
	if a.Status != http.StatusSeeOther {
		t.Errorf("request by form: %d", a.Status)
	}
	_ = form
}

func noCORS(t *testing.T, s *browserServer) {
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		v := s.visitor(t)
		v.header = http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"GET"}}
		a := v.do(method, "/oauth/authorize?"+parameters("web").Encode(), nil)
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", method, name)
			}
		}
	}
}

func tokenInQuery(t *testing.T, s *browserServer) {
	code := codeFor(t, s, "ann", parameters("web", "scope", "openid", "redirect_uri", "https://web.example/back"))
	_, got := redeem(t, s, redemption("web", code, "redirect_uri", "https://web.example/back"))
	s.Codes(t)
	if a := s.visitor(t).get("/oauth/v1/userinfo?access_token=" + got.AccessToken); a.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func oversizedInput(t *testing.T, s *browserServer) {
	many := parameters("web")
	for range 300 {
		many.Add("hook_context_custom_param.k", "v")
	}
	deep := `{"id_token":` + strings.Repeat(`{"acr":`, 500) + "1" + strings.Repeat("}", 501)
	for name, query := range map[string]url.Values{
		"query":  parameters("web", "x", strings.Repeat("x", 9000)),
		"scope":  parameters("web", "scope", strings.Repeat("s ", 2000)+"s"),
		"state":  parameters("web", "state", strings.Repeat("s", 2049)),
		"many":   many,
		"nested": parameters("web", "claims", deep),
	} {
		a := s.visitor(t).get("/oauth/authorize?" + query.Encode())
		if strings.HasPrefix(a.Header.Get("Location"), "/oauth/") || a.Status >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", name, a.Status, a.Header.Get("Location"))
		}
		if codes := s.Codes(t); len(codes) != 1 || codes[0] != audit.AuthzRequestInvalid && codes[0] != audit.AuthzRequestScopeInvalid {
			t.Errorf("%s: audit %v", name, codes)
		}
	}
	a := s.visitor(t).do(http.MethodPost, "/oauth/authorize", parameters("web", "x", strings.Repeat("x", 70<<10)))
	if a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("form: %d", a.Status)
	}
	s.Codes(t)
	a = s.visitor(t).do(http.MethodPost, "/oauth/authorize", parameters("web", "claims", `{"id_token":`+strings.Repeat("[", 1900)+strings.Repeat("]", 1900)+"}"))
	if q := answerOf(t, a).Query(); q.Get("error") != "invalid_request" {
		t.Errorf("deep: %d %v", a.Status, q)
	}
	wantCodes(t, s, audit.AuthzRequestInvalid)
}

// sameAnswerForClients: nobody learns from the token endpoint which client ids there are.
func sameAnswerForClients(t *testing.T, s *browserServer) {
	answers := map[string]bool{}
	for _, basic := range [][]string{{"web", "wrong"}, {"nobody", "wrong"}, {"off", "wrong"}, {phoneOne, "wrong"}, {strings.Repeat("0", 64), "wrong"}} {
		a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/token", Basic: basic, Form: url.Values{"grant_type": {"client_credentials"}}})
		answers[http.StatusText(a.Status)+a.Header.Get("WWW-Authenticate")+a.Body] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	if n := count(s.Codes(t), audit.TokenRequestInvalidClient); n != 3 {
		t.Errorf("%d times an unknown client in the log", n)
	}
}

// sameAnswerForUsers: nobody learns from the journey whether somebody is known: a person whom the provider has never named
// before, one it has, and one with a session get the same answers. The sign-in page has a test of its own, which counts
// the passwords that are hashed.
func sameAnswerForUsers(t *testing.T, s *browserServer) {
	s.put(t, store.Account{ID: "gone", Username: "gone", Namespace: "people", Disabled: true})
	shape := func(user string, change ...string) string {
		a := s.visitor(t).get("/oauth/authorize?" + parameters("web", change...).Encode())
		q := answerOf(t, a).Query()
		q.Del("t")
		return strings.ReplaceAll(http.StatusText(a.Status)+q.Encode(), user, "NAME")
	}
	for _, user := range []string{"bob", "gone", "nobody"} {
		if got, want := shape(user, "login_hint", user), shape("ann", "login_hint", "ann"); got != want {
			t.Errorf("login_hint %s: %s, want %s", user, got, want)
		}
		if got, want := shape(user, "login_hint", user, "prompt", "none"), shape("ann", "login_hint", "ann", "prompt", "none"); got != want {
			t.Errorf("silent %s: %s, want %s", user, got, want)
		}
	}
}
