package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// newDeviceServer is a browser server with clients that have the device grant.
func newDeviceServer(t *testing.T) *browserServer {
	t.Helper()
	s := newBrowserServer(t)
	device := []settings.Grant{settings.DeviceCode}
	s.document.WebClients = append(s.document.WebClients,
		settings.WebClient{
			ID: "tv", Name: "The <TV>", Grants: device, Authentication: settings.PublicClient, DefaultScopes: []string{"read"},
			AdditionalScopes: []string{"openid", "pay"}, IdentityProvider: "door", AdditionalProviders: []string{"window", "closed"},
			SkipConsent: true, RefreshTokenEnabled: true, LogoURL: "https://cdn.tv.example/logo.png",
		},
		settings.WebClient{
			ID: "box", Grants: device, Authentication: settings.SecretBasic, Secret: s.document.WebClients[0].Secret, DefaultScopes: []string{"read"},
			DeviceVerificationURI: "https://box.example/go", DeviceVerificationFull: "https://box.example/go/{user_code}",
		},
	)
	for i := range s.document.Applications {
		if s.document.Applications[i].ID == "app" {
			s.document.Applications[i].AdditionalScopes = append(s.document.Applications[i].AdditionalScopes, "access:device-authorization:approve")
		}
	}
	s.Settings.Set(s.document)
	return s
}

// started is the answer of the device authorization endpoint.
type started struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	FullPage   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"`
	Interval   int    `json:"interval"`
}

func (s *browserServer) startDevice(t testing.TB, form ...string) started {
	t.Helper()
	a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/device_authorization", Form: pairs(append([]string{"client_id", "tv"}, form...)...)})
	var answer started
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK {
		t.Fatalf("start: %d %s", a.Status, a.Body)
	}
	if got := s.Codes(t); len(got) != 1 || got[0] != audit.DeviceAuthzRequestDeviceCodeCreated {
		t.Fatalf("start: audit %v", got)
	}
	return answer
}

func (s *browserServer) poll(t testing.TB, client, code string) audittest.Answer {
	t.Helper()
	return audittest.Do(t, s.handler, audittest.Request{
		Path: "/oauth/v1/token", Form: pairs("grant_type", deviceGrant, "client_id", client, "device_code", code),
	})
}

// enter opens the page and sends a user code.
func (v *visitor) enter(code string) audittest.Answer {
	v.t.Helper()
	page := v.get("/oauth/device_authorization/verification")
	if page.Status != http.StatusOK {
		v.t.Fatalf("page: %d %s", page.Status, page.Body)
	}
	return v.do(http.MethodPost, "/oauth/device_authorization/verification", formOf(page, "user_code", code))
}

func TestDeviceStart(t *testing.T) {
	s := newDeviceServer(t)
	d := s.startDevice(t)
	if len(d.DeviceCode) != 64 || !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{8}$`).MatchString(d.UserCode) || d.ExpiresIn != 600 || d.Interval != 5 ||
		d.Page != audittest.Issuer+"/device_authorization/verification" || d.FullPage != d.Page+"?user_code="+d.UserCode {
		t.Errorf("%+v", d)
	}
	own := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/device_authorization", Basic: []string{"box", "web secret"}, Form: url.Values{}})
	var box started
	if err := json.Unmarshal([]byte(own.Body), &box); err != nil || box.Page != "https://box.example/go" || box.FullPage != "https://box.example/go/"+box.UserCode {
		t.Errorf("own pages: %s", own.Body)
	}
	wantCodes(t, s, audit.DeviceAuthzRequestDeviceCodeCreated)

	for _, tc := range []struct {
		name, query string
		basic       []string
		form        []string
		json        bool
		status      int
		want        string
		audit       audit.Code
	}{
		{
			name: "no client", form: []string{"scope", "read"}, status: 400, audit: audit.DeviceAuthzRequestInvalid,
			want: `{"error":"invalid_request","error_description":"client_id is missing"}`,
		},
		{
			name: "no form", json: true, status: 400, audit: audit.DeviceAuthzRequestInvalid,
			want: `{"error":"invalid_request","error_description":"the request must be one form without repeated parameters and without a query"}`,
		},
		{
			name: "query", query: "?client_id=tv", form: []string{"scope", "read"}, status: 400, audit: audit.DeviceAuthzRequestInvalid,
			want: `{"error":"invalid_request","error_description":"the request must be one form without repeated parameters and without a query"}`,
		},
		{
			name: "unknown client", form: []string{"client_id", "nobody"}, status: 401, audit: audit.DeviceAuthzRequestInvalidClient,
			want: `{"error":"invalid_client","error_description":"the client could not be authenticated"}`,
		},
		{
			name: "confidential client without its secret", form: []string{"client_id", "box"}, status: 401, audit: audit.DeviceAuthzRequestInvalidClient,
			want: `{"error":"invalid_client","error_description":"the client could not be authenticated"}`,
		},
		{
			name: "wrong secret", basic: []string{"box", "wrong"}, form: []string{"scope", "read"}, status: 401, audit: audit.DeviceAuthzRequestInvalidClient,
			want: `{"error":"invalid_client","error_description":"the client could not be authenticated"}`,
		},
		{
			name: "grant off", form: []string{"client_id", "native"}, status: 400, audit: audit.DeviceAuthzRequestInvalidClient,
			want: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
		},
		{
			name: "installation", basic: []string{phoneOne, installedSecret}, form: []string{"scope", "read"}, status: 400, audit: audit.DeviceAuthzRequestInvalidClient,
			want: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
		},
		{
			name: "scope", form: []string{"client_id", "tv", "scope", "read silent"}, status: 400, audit: audit.DeviceAuthzRequestScopeInvalid,
			want: `{"error":"invalid_scope","error_description":"the scope is malformed, missing or not allowed for the client"}`,
		},
		{
			name: "foreign provider", form: []string{"client_id", "tv", "idp", "api"}, status: 400, audit: audit.DeviceAuthzRequestInvalid,
			want: `{"error":"invalid_request","error_description":"the identity provider is not one of the client's"}`,
		},
		{
			name: "disabled provider", form: []string{"client_id", "tv", "idp", "closed"}, status: 400, audit: audit.DeviceAuthzRequestInvalid,
			want: `{"error":"invalid_request","error_description":"the identity provider is not one of the client's"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := audittest.Request{Path: "/oauth/device_authorization" + tc.query, Basic: tc.basic, Form: pairs(tc.form...)}
			if tc.json {
				r.Form, r.JSON = nil, `{"client_id":"tv"}`
			}
			if a := audittest.Do(t, s.handler, r); a.Status != tc.status || a.Body != tc.want {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			wantCodes(t, s, tc.audit)
		})
	}
	refused := 0
	for range 120 {
		if a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/device_authorization", Form: pairs("client_id", "tv")}); a.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	said := 0
	for _, code := range s.Codes(t) {
		if code == audit.RateLimitExceeded {
			said++
		}
	}
	if refused < 20 || said != 1 {
		t.Errorf("flood: %d refused, said %d times", refused, said)
	}
}

// TestDeviceLogin walks the whole way: the device starts, its user signs in and agrees, the device gets its tokens.
func TestDeviceLogin(t *testing.T) {
	s := newDeviceServer(t)
	d := s.startDevice(t, "scope", "openid read pay")
	if a := s.poll(t, "tv", d.DeviceCode); a.Status != 400 || a.Body != `{"error":"authorization_pending","error_description":"the user has not decided yet"}` {
		t.Errorf("pending: %d %s", a.Status, a.Body)
	}
	wantCodes(t, s)

	v := s.visitor(t)
	page := v.get("/oauth/device_authorization/verification?user_code=" + strings.ToLower(d.UserCode))
	shown := d.UserCode[:4] + "-" + d.UserCode[4:]
	if page.Status != 200 || !strings.Contains(page.Body, `value="`+shown+`"`) || !strings.Contains(page.Body, "Compare this code") ||
		!strings.Contains(page.Header.Get("Content-Security-Policy"), "form-action 'self'") {
		t.Errorf("page: %d %s", page.Status, page.Body)
	}
	a := v.do(http.MethodPost, "/oauth/device_authorization/verification", formOf(page, "user_code", " "+strings.ToLower(shown)+" "))
	if a.Status != http.StatusSeeOther {
		t.Fatalf("code: %d %s", a.Status, a.Body)
	}
	a = v.get(a.Header.Get("Location"))
	at := a.Header.Get("Location")
	if !strings.HasPrefix(at, "/oauth/door?t=") {
		t.Fatalf("not sent to the door: %d %s", a.Status, at)
	}
	page = v.follow(v.get(at + "&user=ann"))
	if page.Status != 200 || !strings.Contains(page.Body, "The &lt;TV&gt;") || !strings.Contains(page.Body, "pay once") ||
		!strings.Contains(page.Body, `src="https://cdn.tv.example/logo.png"`) || !strings.Contains(page.Body, "This counts for this time only") ||
		!strings.Contains(page.Header.Get("Content-Security-Policy"), "img-src 'self' https://cdn.tv.example;") {
		t.Fatalf("consent, although the client skips it: %d %v %s", page.Status, page.Header, page.Body)
	}
	wantCodes(t, s)
	a = v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept"))
	if a.Status != 200 || !strings.Contains(a.Body, "Your device is connected") || a.Header.Get("Location") != "" {
		t.Errorf("end: %d %s", a.Status, a.Body)
	}
	v.wantCodes(audit.ConsentGiven, audit.AuthzRequestDeviceGrantCreated)

	if a := s.poll(t, "native", d.DeviceCode); a.Status != 400 || !strings.Contains(a.Body, "unauthorized_client") {
		t.Errorf("client without the grant: %d %s", a.Status, a.Body)
	}
	wantCodes(t, s, audit.TokenRequestDisabledGrantType)

	a = s.poll(t, "tv", d.DeviceCode)
	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
		Scope        string `json:"scope"`
		ProfileID    string `json:"profile_id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &tokens); err != nil || a.Status != 200 || tokens.Scope != "openid read pay" ||
		tokens.ProfileID != "static" || len(tokens.RefreshToken) != 64 || tokens.IDToken == "" {
		t.Errorf("tokens: %d %s", a.Status, a.Body)
	}
	wantCodes(t, s, audit.TokenRequestAccessTokenCreated)
	if got, err := s.tokens.Verify(t.Context(), tokens.AccessToken); err != nil || got.UserID != "ann" || got.ClientID != "tv" || got.SessionID != "" {
		t.Errorf("token %+v, %v", got, err)
	}
	if a := s.poll(t, "tv", d.DeviceCode); a.Status != 400 || a.Body != `{"error":"invalid_grant","error_description":"the device code is unknown, used or another client's"}` {
		t.Errorf("second use: %d %s", a.Status, a.Body)
	}
	wantCodes(t, s, audit.TokenRequestInvalidGrant)
	if _, err := s.tokens.Verify(t.Context(), tokens.AccessToken); err != nil {
		t.Errorf("a second poll took the tokens of the first: %v", err)
	}

	t.Run("the session is known, consent is asked again", func(t *testing.T) {
		d := s.startDevice(t)
		a := v.follow(v.enter(d.UserCode))
		if a.Status != 200 || !strings.Contains(a.Body, "read your letters") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("used code", func(t *testing.T) {
		if a := v.enter(d.UserCode); a.Status != 200 || !strings.Contains(a.Body, "This code was used already") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s)
	})
}

// approved starts a device login that ann has approved in a browser.
func (s *browserServer) approved(t *testing.T, decision string) started {
	t.Helper()
	d := s.startDevice(t)
	v := s.visitor(t)
	a := v.enter(d.UserCode)
	a = v.get(a.Header.Get("Location"))
	page := v.follow(v.get(a.Header.Get("Location") + "&user=ann"))
	v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", decision))
	s.Codes(t)
	return d
}

func TestDevicePolls(t *testing.T) {
	s := newDeviceServer(t)
	t.Run("too often", func(t *testing.T) {
		d := s.startDevice(t)
		for i, tc := range []struct {
			after time.Duration
			want  string
		}{
			{0, "authorization_pending"},
			{time.Second, "authorization_pending"}, // the first early one is forgiven
			{time.Second, "slow_down"},
			{5 * time.Second, "slow_down"}, // ten seconds by now
			{15 * time.Second, "authorization_pending"},
			{14 * time.Second, "slow_down"},
		} {
			s.Clock.Advance(tc.after)
			if a := s.poll(t, "tv", d.DeviceCode); a.Status != 400 || !strings.Contains(a.Body, `"error":"`+tc.want+`"`) {
				t.Errorf("poll %d: %d %s, want %s", i, a.Status, a.Body, tc.want)
			}
		}
		wantCodes(t, s)
	})
	for _, tc := range []struct {
		name   string
		code   func(t *testing.T) (client, code string)
		want   string
		status int
		audit  audit.Code
	}{
		{
			name: "missing", code: func(*testing.T) (string, string) { return "tv", "" }, status: 400, audit: audit.TokenRequestInvalid,
			want: `{"error":"invalid_request","error_description":"device_code is missing"}`,
		},
		{
			name: "unknown", code: func(*testing.T) (string, string) { return "tv", strings.Repeat("A", 64) }, status: 400, audit: audit.TokenRequestInvalidGrant,
			want: `{"error":"invalid_grant","error_description":"the device code is unknown, used or another client's"}`,
		},
		{
			name: "another client's", status: 400, audit: audit.TokenRequestInvalidGrant,
			code: func(t *testing.T) (string, string) {
				t.Helper()
				return "set", s.approved(t, "accept").DeviceCode
			},
			want: `{"error":"invalid_grant","error_description":"the device code is unknown, used or another client's"}`,
		},
		{
			name: "denied", status: 400, audit: audit.TokenRequestInvalidGrant,
			code: func(t *testing.T) (string, string) { t.Helper(); return "tv", s.approved(t, "deny").DeviceCode },
			want: `{"error":"access_denied","error_description":"the user refused"}`,
		},
		{
			name: "expired", status: 400, audit: audit.TokenRequestInvalidGrant,
			code: func(t *testing.T) (string, string) {
				t.Helper()
				d := s.startDevice(t)
				s.Clock.Advance(10 * time.Minute)
				return "tv", d.DeviceCode
			},
			want: `{"error":"expired_token","error_description":"the device code has expired"}`,
		},
		{
			name: "approved, and too late", status: 400, audit: audit.TokenRequestInvalidGrant,
			code: func(t *testing.T) (string, string) {
				t.Helper()
				d := s.approved(t, "accept")
				s.Clock.Advance(10 * time.Minute)
				return "tv", d.DeviceCode
			},
			want: `{"error":"expired_token","error_description":"the device code has expired"}`,
		},
		{
			name: "account disabled since", status: 400, audit: audit.TokenRequestInvalidGrant,
			code: func(t *testing.T) (string, string) {
				t.Helper()
				d := s.approved(t, "accept")
				s.put(t, store.Account{ID: "ann", Username: "ann", Disabled: true})
				return "tv", d.DeviceCode
			},
			want: `{"error":"invalid_grant","error_description":"the code is unknown, expired or used, or not good for this request"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.document.WebClients = append(s.document.WebClients, settings.WebClient{
				ID: "set", Grants: []settings.Grant{settings.DeviceCode}, Authentication: settings.PublicClient, DefaultScopes: []string{"read"},
			})
			s.Settings.Set(s.document)
			client, code := tc.code(t)
			if a := s.poll(t, client, code); a.Status != tc.status || a.Body != tc.want {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			wantCodes(t, s, tc.audit)
		})
	}
}

// TestParallelPolls: of 50 polls of an approved device one gets the tokens.
func TestParallelPolls(t *testing.T) {
	s := newDeviceServer(t)
	d := s.approved(t, "accept")
	const racers = 50
	answers := make([]audittest.Answer, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() { answers[i] = s.poll(t, "tv", d.DeviceCode) })
	}
	group.Wait()
	won := 0
	for _, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			won++
		case a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"invalid_grant"`):
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	created := 0
	for _, code := range s.Codes(t) {
		if code == audit.TokenRequestAccessTokenCreated {
			created++
		}
	}
	if won != 1 || created != 1 {
		t.Errorf("%d got tokens, %d events, want one", won, created)
	}
	if families, err := s.Store.Families(t.Context(), store.FamilyFilter{ClientID: "tv"}); err != nil || len(families) != 1 {
		t.Errorf("%d families, %v", len(families), err)
	}
}

// TestDeviceWhenRedisForgets: a tombstone that got lost does not make a device code good again.
func TestDeviceWhenRedisForgets(t *testing.T) {
	s := newDeviceServer(t)
	d := s.approved(t, "accept")
	before := s.RedisServer.Dump()
	if a := s.poll(t, "tv", d.DeviceCode); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	s.Codes(t)
	for _, key := range s.RedisServer.Keys() { // the state of before the tokens
		if strings.HasPrefix(key, "{dev:") {
			s.RedisServer.HSet(key, "state", "APPROVED")
		}
	}
	if before == "" {
		t.Fatal("nothing in Redis")
	}
	if a := s.poll(t, "tv", d.DeviceCode); a.Status != 400 || !strings.Contains(a.Body, `"invalid_grant"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantCodes(t, s, audit.TokenRequestInvalidGrant)
}
