package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// codeFor signs a user in at a client that skips consent or gives it, and returns the code.
func codeFor(t *testing.T, s *browserServer, user string, request url.Values) string {
	t.Helper()
	v := s.visitor(t)
	a := v.signIn(request, user)
	if strings.Contains(a.Body, `name="decision"`) {
		a = v.do(http.MethodPost, "/oauth/consent", formOf(a, "decision", "accept"))
	}
	code := answerOf(t, a).Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %s", answerOf(t, a))
	}
	s.Codes(t)
	return code
}

// redemption is the token request for a code of a client, changed by name and value; an empty value removes.
func redemption(client, code string, change ...string) audittest.Request {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}}
	r := audittest.Request{Path: "/oauth/v1/token", Form: form}
	switch {
	case len(client) == 64:
		form.Set("code_verifier", goodVerifier)
		form.Set("profile_id", "ABC123")
		r.Basic = []string{client, installedSecret}
	case client == "web":
		r.Basic = []string{client, "web secret"}
	default:
		form.Set("client_id", client)
		form.Set("code_verifier", goodVerifier)
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			form.Del(change[i])
		} else {
			form.Set(change[i], change[i+1])
		}
	}
	return r
}

// grantAnswer is a success or an error of the token endpoint.
type grantAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	ProfileID    string `json:"profile_id"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
}

func redeem(t *testing.T, s *browserServer, r audittest.Request) (int, grantAnswer) {
	t.Helper()
	a := audittest.Do(t, s.handler, r)
	var got grantAnswer
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.Status, got
}

// because writes code and reason the way reasons does.
func because(code audit.Code, reason string) string {
	return strings.TrimSuffix(string(code)+":"+reason, ":")
}

// reasons returns code and reason of the events since the last look.
func reasons(t *testing.T, s *browserServer) string {
	t.Helper()
	var list []string
	for _, e := range s.Events(t) {
		var details struct {
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal([]byte(e.Details), &details); err != nil {
			t.Fatal(err)
		}
		list = append(list, because(e.Code, details.Reason))
	}
	return strings.Join(list, " ")
}

func TestCodeIsRedeemed(t *testing.T) {
	s := newBrowserServer(t)
	status, got := redeem(t, s, redemption("web", codeFor(t, s, "ann", parameters("web", "code_challenge", goodChallenge, "code_challenge_method", "S256")), "code_verifier", goodVerifier))
	if status != http.StatusOK || len(got.AccessToken) != 64 || got.RefreshToken != "" || got.IDToken != "" || got.ProfileID != "static" || got.Scope != "read" {
		t.Errorf("%d %+v", status, got)
	}
	wantCodes(t, s, audit.TokenRequestAccessTokenCreated)

	request := parameters("web", "scope", "openid profile read", "nonce", "n-1", "redirect_uri", "https://web.example/back")
	status, got = redeem(t, s, redemption("web", codeFor(t, s, "ann", request), "redirect_uri", "https://web.example/back"))
	claims := map[string]any{}
	parts := strings.Split(got.IDToken, ".")
	if status != http.StatusOK || len(parts) != 3 {
		t.Fatalf("%d %+v", status, got)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatal(got.IDToken)
	}
	for name, want := range map[string]any{
		"sub": "ann", "nonce": "n-1", "name": "Name of ann", "preferred_username": "ann", "iss": audittest.Issuer,
		"auth_time": float64(s.Now().Unix()),
	} {
		if claims[name] != want {
			t.Errorf("claim %s: %v, want %v", name, claims[name], want)
		}
	}
	wantCodes(t, s, audit.TokenRequestAccessTokenCreated)

	status, got = redeem(t, s, redemption(phoneOne, codeFor(t, s, "ann", parameters(phoneOne))))
	if status != http.StatusOK || len(got.RefreshToken) != 64 || got.IDToken == "" || got.ProfileID != "ABC123" {
		t.Errorf("%d %+v", status, got)
	}
	wantCodes(t, s, audit.TokenRequestAccessTokenCreated)
	if p, err := s.Store.Profile(t.Context(), phoneOne, "ABC123"); err != nil || p.UserID != "ann" || !p.LastLogin.Equal(s.Now()) {
		t.Errorf("profile %+v, %v", p, err)
	}
}

// TestCodeIsRefused: every reason why a code is not good. The code stays good for its own client.
func TestCodeIsRefused(t *testing.T) {
	s := newBrowserServer(t)
	plain, challenged := parameters("web"), parameters("web", "code_challenge", goodChallenge, "code_challenge_method", "S256")
	named := parameters("web", "redirect_uri", "https://web.example/back")
	for _, tc := range []struct {
		name    string
		request url.Values
		change  []string
		error   string
		audit   string
	}{
		{"no code", plain, []string{"code", ""}, "invalid_request", because(audit.TokenRequestInvalid, "")},
		{"unknown", plain, []string{"code", strings.Repeat("0", 64)}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "unknown")},
		{"redirect missing", named, nil, "invalid_grant", because(audit.TokenRequestInvalidGrant, "redirect_uri")},
		{"redirect differs", named, []string{"redirect_uri", "https://web.example/back/"}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "redirect_uri")},
		{"redirect added", plain, []string{"redirect_uri", "https://evil.example/"}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "redirect_uri")},
		{"verifier missing", challenged, nil, "invalid_grant", because(audit.TokenRequestInvalidGrant, "code_verifier missing")},
		{"verifier wrong", challenged, []string{"code_verifier", strings.Repeat("x", 43)}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "code_verifier")},
		{"verifier is the challenge", challenged, []string{"code_verifier", goodChallenge}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "code_verifier")},
		{"verifier too short", challenged, []string{"code_verifier", "x"}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "code_verifier")},
		{"verifier without challenge", plain, []string{"code_verifier", goodVerifier}, "invalid_grant", because(audit.TokenRequestInvalidGrant, "code_verifier without code_challenge")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code := codeFor(t, s, "ann", tc.request)
			status, got := redeem(t, s, redemption("web", code, tc.change...))
			if status != http.StatusBadRequest || got.Error != tc.error {
				t.Errorf("%d %+v", status, got)
			}
			if got := reasons(t, s); got != tc.audit {
				t.Errorf("audit %s", got)
			}
		})
	}
	t.Run("other client", func(t *testing.T) {
		code := codeFor(t, s, "ann", challenged)
		status, got := redeem(t, s, redemption("asking", code))
		if status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%d %+v", status, got)
		}
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "other client") {
			t.Errorf("audit %s", got)
		}
		if status, _ := redeem(t, s, redemption("web", code, "code_verifier", goodVerifier)); status != http.StatusOK {
			t.Errorf("own client: %d", status)
		}
		s.Codes(t)
	})
	for _, late := range []time.Duration{30 * time.Second, time.Hour} { // known as expired, forgotten
		code := codeFor(t, s, "ann", plain)
		s.Clock.Advance(late)
		if status, got := redeem(t, s, redemption("web", code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("after %s: %d %+v", late, status, got)
		}
		want := map[time.Duration]string{30 * time.Second: "expired", time.Hour: "unknown"}[late]
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, want) {
			t.Errorf("after %s: audit %s", late, got)
		}
	}
	t.Run("account disabled", func(t *testing.T) {
		code := codeFor(t, s, "bob", plain)
		s.put(t, store.Account{ID: "bob", Username: "bob", Disabled: true})
		if status, got := redeem(t, s, redemption("web", code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%d %+v", status, got)
		}
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "account ended or disabled") {
			t.Errorf("audit %s", got)
		}
	})
	t.Run("password changed on the way", func(t *testing.T) {
		code := codeFor(t, s, "ann", plain)
		s.Clock.Advance(time.Second)
		s.put(t, store.Account{ID: "ann", Username: "ann", SignInsSince: s.Now()})
		if status, got := redeem(t, s, redemption("web", code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%d %+v", status, got)
		}
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "signed in before the password was changed") {
			t.Errorf("audit %s", got)
		}
	})
	t.Run("grant switched off", func(t *testing.T) {
		code := codeFor(t, s, "ann", plain)
		s.document.WebClients[0].Grants = []settings.Grant{settings.ClientCredentials}
		s.Settings.Set(s.document)
		if status, got := redeem(t, s, redemption("web", code)); status != http.StatusBadRequest || got.Error != "unauthorized_client" {
			t.Errorf("%d %+v", status, got)
		}
		wantCodes(t, s, audit.TokenRequestDisabledGrantType)
	})
}

// noSigner is a ring without a key.
type noSigner struct{ *keys.Ring }

func (noSigner) SignWith(context.Context, string, func(string) any) (string, error) {
	return "", keys.ErrNoKey
}

// TestCodeWithoutIDToken: when the ID token cannot be made there are no tokens at all, and the code is spent.
func TestCodeWithoutIDToken(t *testing.T) {
	s := newBrowserServer(t)
	code := codeFor(t, s, "ann", parameters(phoneOne))
	s.tokens.Ring = noSigner{s.ring}
	if status, got := redeem(t, s, redemption(phoneOne, code)); status != http.StatusInternalServerError || got.Error != "server_error" || got.AccessToken != "" {
		t.Errorf("%d %+v", status, got)
	}
	wantCodes(t, s, audit.AuthorizationFailedUnableToGenerateIDToken)
	for _, key := range s.RedisServer.Keys() {
		if strings.HasPrefix(key, "at:") {
			t.Errorf("token kept: %s", key)
		}
	}
	if status, got := redeem(t, s, redemption(phoneOne, code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("again: %d %+v", status, got)
	}
	if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "replay") {
		t.Errorf("audit %s", got)
	}
}

// live tells whether an access token is good.
func live(t *testing.T, s *browserServer, bearer string) error {
	t.Helper()
	_, err := s.tokens.Verify(t.Context(), bearer)
	return err
}

// TestCodeReplayEndsTheTokens: a second use is refused and ends what the first one got, also when Redis has forgotten the
// code, also long after its life.
func TestCodeReplayEndsTheTokens(t *testing.T) {
	for name, between := range map[string]func(*browserServer){
		"at once":        func(*browserServer) {},
		"tombstone gone": func(s *browserServer) { s.Clock.Advance(12 * time.Minute) },
		"Redis is empty": func(s *browserServer) { s.RedisServer.FlushDB() },
		"code is back again": func(s *browserServer) { // a fail-over to a copy from before the redemption
			for _, key := range s.RedisServer.Keys() {
				if before, ok := strings.CutPrefix(key, "copy-"); ok {
					value, err := s.RedisServer.Get(key)
					if err == nil {
						err = s.RedisServer.Set(before, value)
					}
					if err != nil {
						panic(err)
					}
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newBrowserServer(t)
			code := codeFor(t, s, "ann", parameters(phoneOne))
			for _, key := range s.RedisServer.Keys() {
				if strings.HasPrefix(key, "code:") {
					value, err := s.RedisServer.Get(key)
					if err != nil || s.RedisServer.Set("copy-"+key, value) != nil {
						t.Fatal(err)
					}
				}
			}
			status, first := redeem(t, s, redemption(phoneOne, code))
			if err := live(t, s, first.AccessToken); status != http.StatusOK || err != nil {
				t.Fatalf("%d %v", status, err)
			}
			s.Codes(t)
			between(s)
			status, second := redeem(t, s, redemption(phoneOne, code))
			if status != http.StatusBadRequest || second.Error != "invalid_grant" {
				t.Errorf("%d %+v", status, second)
			}
			if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "replay") {
				t.Errorf("audit %s", got)
			}
			if err := live(t, s, first.AccessToken); !errors.Is(err, store.ErrRevoked) && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("access token after the replay: %v", err)
			}
			refresh := audittest.Request{Path: "/oauth/v1/token", Basic: []string{phoneOne, installedSecret}, Form: url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "profile_id": {"ABC123"},
			}}
			if status, got := redeem(t, s, refresh); status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("refresh after the replay: %d %+v", status, got)
			}
		})
	}
}

// TestCodeRace: of fifty redemptions at once exactly one gets tokens. The others are second uses: whoever shows a code a
// second time, even in the same instant, may have stolen it, so the tokens of the winner end as well (RFC 9700 §4.5).
func TestCodeRace(t *testing.T) {
	s := newBrowserServer(t)
	code := codeFor(t, s, "ann", parameters(phoneOne))
	const racers = 50
	answers := make([]grantAnswer, racers)
	statuses := make([]int, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() { statuses[i], answers[i] = redeem(t, s, redemption(phoneOne, code)) })
	}
	group.Wait()
	winners := 0
	for i, a := range answers {
		switch {
		case statuses[i] == http.StatusOK:
			winners++
			if err := live(t, s, a.AccessToken); !errors.Is(err, store.ErrRevoked) {
				t.Errorf("tokens of the first use: %v, want revoked", err)
			}
		case statuses[i] != http.StatusBadRequest || a.Error != "invalid_grant":
			t.Errorf("loser: %d %+v", statuses[i], a)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
	count := map[string]int{}
	for _, r := range strings.Split(reasons(t, s), " ") {
		count[r]++
	}
	if count[because(audit.TokenRequestAccessTokenCreated, "")] != 1 || count[because(audit.TokenRequestInvalidGrant, "replay")] != racers-1 || len(count) != 2 {
		t.Errorf("audit %v", count)
	}
}

// TestProfiles: who may be on an installation under which id. A refusal spends the code.
func TestProfiles(t *testing.T) {
	s := newBrowserServer(t)
	enter := func(user, profile string) (int, grantAnswer) {
		t.Helper()
		return redeem(t, s, redemption(phoneOne, codeFor(t, s, user, parameters(phoneOne)), "profile_id", profile))
	}
	for name, id := range map[string]string{"missing": "", "malformed:5": "ABC12", "malformed:7": "ABC1234", "malformed:sign": "ABC-12", "malformed:letter": "ÄBCDE"} {
		code := codeFor(t, s, "ann", parameters(phoneOne))
		status, got := redeem(t, s, redemption(phoneOne, code, "profile_id", id))
		if status != http.StatusBadRequest || got.Error != "invalid_request" {
			t.Errorf("%s: %d %+v", name, status, got)
		}
		reason, _, _ := strings.Cut(name, ":")
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidProfileID, reason) {
			t.Errorf("%s: audit %s", name, got)
		}
		if status, got := redeem(t, s, redemption(phoneOne, code)); status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%s: the code is not spent: %d %+v", name, status, got)
		}
		if got := reasons(t, s); got != because(audit.TokenRequestInvalidGrant, "replay") {
			t.Errorf("%s: audit %s", name, got)
		}
	}
	_, first := enter("ann", "AAAAAA")
	s.Codes(t)
	if status, got := enter("bob", "AAAAAA"); status != http.StatusBadRequest || got.Error != "invalid_request" {
		t.Errorf("another user's: %d %+v", status, got)
	}
	if got := reasons(t, s); got != because(audit.TokenRequestInvalidProfileID, "another user's") {
		t.Errorf("audit %s", got)
	}
	if status, _ := enter("bob", "bbbbbb"); status != http.StatusOK {
		t.Errorf("second user: %d", status)
	}
	if err := live(t, s, first.AccessToken); err != nil {
		t.Errorf("first user after the second came: %v", err)
	}

	if _, err := s.Store.RaisePINFailures(t.Context(), phoneOne, "AAAAAA", 3); err != nil {
		t.Fatal(err)
	}
	status, again := enter("ann", "AAAAAA")
	if status != http.StatusOK || !errors.Is(live(t, s, first.AccessToken), store.ErrRevoked) || live(t, s, again.AccessToken) != nil {
		t.Errorf("re-registration: %d, former token %v, new %v", status, live(t, s, first.AccessToken), live(t, s, again.AccessToken))
	}
	if p, err := s.Store.Profile(t.Context(), phoneOne, "AAAAAA"); err != nil || p.PINFailures != 0 {
		t.Errorf("profile %+v, %v", p, err)
	}
	if len(s.removed) != 0 {
		t.Errorf("removed %v", s.removed)
	}

	status, moved := enter("ann", "CCCCCC")
	if status != http.StatusOK || !errors.Is(live(t, s, again.AccessToken), store.ErrRevoked) || live(t, s, moved.AccessToken) != nil {
		t.Errorf("other profile: %d", status)
	}
	if fmt.Sprint(s.removed) != "[AAAAAA]" {
		t.Errorf("removed %v", s.removed)
	}
	list, err := s.Store.ProfilesOf(t.Context(), phoneOne)
	if err != nil || len(list) != 2 {
		t.Errorf("profiles %v, %v", list, err)
	}
}

func TestProfileLimit(t *testing.T) {
	s := newBrowserServer(t)
	for i := range 63 {
		err := s.Store.AddProfile(t.Context(), store.Profile{
			ClientID: phoneOne, ProfileID: fmt.Sprintf("P%05d", i), UserID: fmt.Sprintf("u%d", i), CreatedAt: s.Now(), LastLogin: s.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := redeem(t, s, redemption(phoneOne, codeFor(t, s, "ann", parameters(phoneOne)))); status != http.StatusOK {
		t.Errorf("64th: %d", status)
	}
	s.Codes(t)
	status, got := redeem(t, s, redemption(phoneOne, codeFor(t, s, "bob", parameters(phoneOne)), "profile_id", "BBBBBB"))
	if status != http.StatusBadRequest || got.Error != "invalid_request" {
		t.Errorf("65th: %d %+v", status, got)
	}
	if got := reasons(t, s); got != because(audit.TokenRequestInvalidProfileID, "limit") {
		t.Errorf("audit %s", got)
	}
	if status, _ := redeem(t, s, redemption(phoneOne, codeFor(t, s, "ann", parameters(phoneOne)), "profile_id", "NEWONE")); status != http.StatusOK {
		t.Errorf("a full installation lets its users move: %d", status)
	}
}
