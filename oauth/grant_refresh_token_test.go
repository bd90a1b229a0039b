package oauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// answer is the success body of the token endpoint.
type answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	ProfileID    string `json:"profile_id"`
}

// phone is an installation with one user who has signed in.
type phone struct {
	*kit
	id, secret, profileID string
	first                 token.Issued
}

func newPhone(t testing.TB, k *kit, change func(*store.Installation), grant func(*token.Grant)) *phone {
	t.Helper()
	p := &phone{kit: k, profileID: "AB12cd"}
	p.id, p.secret = k.installation(t, change)
	k.profile(t, p.id, p.profileID, "ann")
	g := token.Grant{
		ClientID: p.id, ProfileID: p.profileID, UserID: "ann", Scopes: []string{"read", "openid"}, Refresh: true,
		Application: "bank", Platform: "ios", Version: "1.0",
	}
	if grant != nil {
		grant(&g)
	}
	p.first = k.issue(t, g)
	return p
}

func (p *phone) refresh(t testing.TB, token string, more ...string) audittest.Answer {
	t.Helper()
	form := append([]string{"grant_type", "refresh_token", "refresh_token", token, "profile_id", p.profileID}, more...)
	return p.post(t, "/v1/token", []string{p.id, p.secret}, form...)
}

// good sends a refresh that must succeed.
func (p *phone) good(t testing.TB, token string, more ...string) answer {
	t.Helper()
	return good(t, p.refresh(t, token, more...))
}

func good(t testing.TB, got audittest.Answer) answer {
	t.Helper()
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	var a answer
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func (p *phone) failures(t testing.TB) int {
	t.Helper()
	profile, err := p.Store.Profile(t.Context(), p.id, p.profileID)
	if err != nil {
		t.Fatal(err)
	}
	return profile.PINFailures
}

func bad(t testing.TB, got audittest.Answer, status int, body string) {
	t.Helper()
	if got.Status != status || got.Body != body {
		t.Errorf("got %d %s, want %d %s", got.Status, got.Body, status, body)
	}
}

const (
	invalidRefresh = `{"error":"invalid_grant","error_description":"the refresh token is not valid"}`
	limitReached   = `{"error":"invalid_grant","error_description":"too many wrong refresh tokens, the profile has been removed","remaining_attempts":0}`
)

func remaining(n string) string {
	return `{"error":"invalid_grant","error_description":"the refresh token is not valid","remaining_attempts":` + n + `}`
}

func TestRefreshRotates(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	second := p.good(t, p.first.RefreshToken)
	k.want(t, audit.TokenRequestAccessTokenRefreshed)
	if second.RefreshToken == p.first.RefreshToken || len(second.RefreshToken) != 64 || second.RefreshToken != strings.ToUpper(second.RefreshToken) {
		t.Errorf("successor %q", second.RefreshToken)
	}
	if second.TokenType != "bearer" || second.ExpiresIn != 900 || second.Scope != "read openid" || second.ProfileID != p.profileID {
		t.Errorf("answer %+v", second)
	}
	if second.IDToken == "" {
		t.Error("no ID token")
	}
	if !k.active(t, second.AccessToken) || !k.active(t, p.first.AccessToken) {
		t.Error("within the overlap both access tokens work")
	}
	k.Clock.Advance(10 * time.Second)
	if !k.active(t, second.AccessToken) || k.active(t, p.first.AccessToken) {
		t.Error("after the overlap only the new access token works")
	}
	third := p.good(t, second.RefreshToken)
	k.Codes(t)
	// The first token is two rotations old: reuse.
	bad(t, p.refresh(t, p.first.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	if k.active(t, third.AccessToken) {
		t.Error("reuse leaves the access tokens alive")
	}
	k.Codes(t)
	bad(t, p.refresh(t, third.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	if n := p.failures(t); n != 0 {
		t.Errorf("%d PIN failures, want none", n)
	}
}

func TestRefreshLostAnswer(t *testing.T) {
	byKey := func(i *store.Installation) { i.PublicJWK = []byte(`{}`) }
	for _, tc := range []struct {
		name   string
		change func(*store.Installation)
		after  time.Duration
		heals  bool
	}{
		{"with a secret, at once", nil, 0, true},
		{"with a secret, within a day", nil, 24*time.Hour - time.Second, true},
		{"with a secret, after a day", nil, 24 * time.Hour, false},
		{"with a key, after a year", byKey, 365 * 24 * time.Hour, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			p := newPhone(t, k, tc.change, nil)
			var lost token.Issued
			check := func() token.PINCheck {
				t.Helper()
				var check token.PINCheck
				if err := k.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
					if check, err = k.tokens.CheckRefresh(ctx, p.id, p.profileID, p.first.RefreshToken, 3); err != nil || check.Result != token.PINRight {
						return err
					}
					lost, err = k.tokens.Rotate(ctx, check, token.Grant{AccessLife: time.Minute, Scopes: check.Family.Scopes}, true)
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return check
			}
			if first := check(); first.Result != token.PINRight || first.Repeat {
				t.Fatalf("%+v", first)
			}
			before := lost
			k.Clock.Advance(tc.after)
			again := check()
			if !tc.heals {
				if again.Result != token.PINReused {
					t.Errorf("%s, want reuse", again.Result)
				}
				return
			}
			if again.Result != token.PINRight || !again.Repeat || lost.RefreshToken != before.RefreshToken || lost.AccessToken == before.AccessToken {
				t.Errorf("%s repeat %v: same successor %v, fresh access token %v", again.Result, again.Repeat,
					lost.RefreshToken == before.RefreshToken, lost.AccessToken != before.AccessToken)
			}
		})
	}
}

func TestRefreshRepeatIsMarked(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	second := p.good(t, p.first.RefreshToken)
	k.Codes(t)
	again := p.good(t, p.first.RefreshToken)
	events := k.Events(t)
	if len(events) != 1 || events[0].Code != audit.TokenRequestAccessTokenRefreshed || !strings.Contains(events[0].Details, `"repeat":true`) {
		t.Errorf("events %+v", events)
	}
	if again.RefreshToken != second.RefreshToken || again.AccessToken == second.AccessToken {
		t.Error("a repeat gives the same successor and a fresh access token")
	}
	p.good(t, again.RefreshToken)
	k.Codes(t)
	// Its successor has been used: now it is reuse.
	bad(t, p.refresh(t, p.first.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
}

func TestPushAnswerCountsAsUse(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	second := p.good(t, p.first.RefreshToken)
	var check token.PINCheck
	if err := k.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		check, err = k.tokens.CheckPIN(ctx, p.id, p.profileID, second.RefreshToken, 3)
		return err
	}); err != nil || check.Result != token.PINRight {
		t.Fatalf("%+v, %v", check, err)
	}
	k.Codes(t)
	bad(t, p.refresh(t, p.first.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
}

func TestRefreshPINRule(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	wrong := secret.NewToken()
	bad(t, p.refresh(t, wrong), 400, remaining("2"))
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	bad(t, p.refresh(t, "x"), 400, remaining("1"))
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	second := p.good(t, p.first.RefreshToken)
	if n := p.failures(t); n != 0 {
		t.Errorf("%d failures after a success", n)
	}
	for _, left := range []string{"2", "1"} {
		bad(t, p.refresh(t, wrong), 400, remaining(left))
	}
	k.Codes(t)
	bad(t, p.refresh(t, wrong), 400, limitReached)
	k.want(t, audit.TokenRequestRefreshTokenRetryCountExceeded)
	if k.active(t, second.AccessToken) {
		t.Error("the access token outlives the profile")
	}
	if _, err := k.Store.Profile(t.Context(), p.id, p.profileID); err == nil {
		t.Error("the profile is still there")
	}
	k.Codes(t)
	bad(t, p.refresh(t, second.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
}

func TestRefreshExpiry(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, func(g *token.Grant) { g.FamilyLife = time.Hour })
	second := p.good(t, p.first.RefreshToken)
	k.Clock.Advance(time.Hour)
	k.Codes(t)
	bad(t, p.refresh(t, second.RefreshToken), 400, invalidRefresh)
	events := k.Events(t)
	if len(events) != 1 || events[0].Code != audit.TokenRequestInvalidRefreshToken || !strings.Contains(events[0].Details, `"reason":"expired"`) {
		t.Errorf("events %+v", events)
	}
	if n := p.failures(t); n != 0 {
		t.Errorf("%d failures: an expired token is a right PIN", n)
	}
}

func TestRefreshFailures(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	k.profile(t, p.id, "second", "bob")
	plain, plainSecret := k.installation(t, func(i *store.Installation) { i.Application = "plain" })
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
	}{
		{
			"no token",
			[]string{p.id, p.secret},
			[]string{"profile_id", p.profileID},
			400,
			`{"error":"invalid_request","error_description":"refresh_token is missing"}`, audit.TokenRequestInvalid,
		},
		{
			"unknown kind",
			[]string{p.id, p.secret},
			[]string{"refresh_token", "x", "refresh_token_type", "VOICE", "profile_id", p.profileID},
			400,
			`{"error":"invalid_request","error_description":"refresh_token_type must be DEFAULT or FINGER_PRINT"}`, audit.TokenRequestInvalid,
		},
		{
			"malformed profile",
			[]string{p.id, p.secret},
			[]string{"refresh_token", "x", "profile_id", "AB12c"},
			400,
			`{"error":"invalid_request","error_description":"profile_id is missing or malformed"}`, audit.TokenRequestInvalidProfileID,
		},
		{
			"two profiles, none named",
			[]string{p.id, p.secret},
			[]string{"refresh_token", "x"},
			400,
			`{"error":"invalid_request","error_description":"profile_id is missing or malformed"}`, audit.TokenRequestInvalidProfileID,
		},
		{"unknown profile", []string{p.id, p.secret}, []string{"refresh_token", "x", "profile_id", "nobody"}, 400, invalidRefresh, audit.TokenRequestInvalidRefreshToken},
		{"profile without token", []string{p.id, p.secret}, []string{"refresh_token", p.first.RefreshToken, "profile_id", "second"}, 400, invalidRefresh, audit.TokenRequestInvalidRefreshToken},
		{
			"wider scope",
			[]string{p.id, p.secret},
			[]string{"refresh_token", p.first.RefreshToken, "profile_id", p.profileID, "scope", "read write"},
			400,
			`{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`, audit.TokenRequestScopeInvalid,
		},
		{
			"application without PIN",
			[]string{plain, plainSecret},
			[]string{"refresh_token", "x", "profile_id", p.profileID},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType,
		},
		{
			"web client without refresh tokens",
			[]string{"codes", webSecret},
			[]string{"refresh_token", "x"},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType,
		},
		{"token of an installation at a web client", []string{"shop", webSecret}, []string{"refresh_token", p.first.RefreshToken}, 400, invalidRefresh, audit.TokenRequestInvalidRefreshToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad(t, k.post(t, "/v1/token", tc.basic, append([]string{"grant_type", "refresh_token"}, tc.form...)...), tc.status, tc.want)
			k.want(t, tc.audit)
		})
	}
	// None of this counted, and the token is still good, also for a part of its scopes.
	if n := p.failures(t); n != 0 {
		t.Errorf("%d failures", n)
	}
	if got := p.good(t, p.first.RefreshToken, "scope", "read"); got.Scope != "read" || got.IDToken != "" {
		t.Errorf("narrowed to %q with ID token %q", got.Scope, got.IDToken)
	}
}

func TestRefreshOfADisabledAccount(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	put := func(disabled bool) {
		t.Helper()
		if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Disabled: disabled}); err != nil {
			t.Fatal(err)
		}
	}
	put(true)
	bad(t, p.refresh(t, p.first.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	put(false)
	p.good(t, p.first.RefreshToken)
}

func TestRefreshOnlyProfile(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	got := k.post(t, "/v1/token", []string{p.id, p.secret}, "grant_type", "refresh_token", "refresh_token", secret.NewToken())
	bad(t, got, 400, remaining("2"))
}

func TestRefreshFingerprint(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	finger := k.issue(t, token.Grant{
		ClientID: p.id, ProfileID: p.profileID, UserID: "ann", Scopes: []string{"read"}, Refresh: true,
		Kind: store.FingerprintToken, Application: "bank", Platform: "ios", Version: "1.0",
	})
	second := p.good(t, finger.RefreshToken, "refresh_token_type", "FINGER_PRINT")
	k.want(t, audit.TokenRequestFingerPrintAccessTokenRefreshed)
	bad(t, p.refresh(t, secret.NewToken(), "refresh_token_type", "FINGER_PRINT"), 400,
		`{"error":"invalid_grant","error_description":"the fingerprint refresh token is wrong, the fingerprint tokens have been removed"}`)
	k.want(t, audit.TokenRequestFingerPrintRefreshTokenRetryCountExceeded)
	bad(t, p.refresh(t, second.RefreshToken, "refresh_token_type", "FINGER_PRINT"), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	if n := p.failures(t); n != 0 {
		t.Errorf("%d PIN failures by fingerprint", n)
	}
	p.good(t, p.first.RefreshToken)
}

func TestRefreshOfWebClients(t *testing.T) {
	k := newKit(t)
	web := func(id string) token.Issued {
		return k.issue(t, token.Grant{
			ClientID: id, ProfileID: "static", UserID: "ann", Scopes: []string{"read"}, Refresh: true,
			RefreshLife: map[string]time.Duration{"brief": 600 * time.Second}[id],
		})
	}
	refresh := func(id, token string) audittest.Answer {
		t.Helper()
		basic := []string{id, webSecret}
		if id == "spa" {
			return k.post(t, "/v1/token", nil, "grant_type", "refresh_token", "refresh_token", token, "client_id", id)
		}
		return k.post(t, "/v1/token", basic, "grant_type", "refresh_token", "refresh_token", token)
	}
	t.Run("rotates, heals for a minute, then it is reuse", func(t *testing.T) {
		first := web("shop")
		second := good(t, refresh("shop", first.RefreshToken))
		if second.ProfileID != "static" {
			t.Errorf("profile %q", second.ProfileID)
		}
		k.Clock.Advance(59 * time.Second)
		if again := good(t, refresh("shop", first.RefreshToken)); again.RefreshToken != second.RefreshToken {
			t.Error("another successor")
		}
		k.Clock.Advance(time.Second)
		bad(t, refresh("shop", first.RefreshToken), 400, invalidRefresh)
		bad(t, refresh("shop", second.RefreshToken), 400, invalidRefresh)
	})
	t.Run("old tokens are remembered", func(t *testing.T) {
		first := web("spa")
		token := first.RefreshToken
		var last answer
		for range 4 {
			last = good(t, refresh("spa", token))
			token = last.RefreshToken
		}
		bad(t, refresh("spa", first.RefreshToken), 400, invalidRefresh)
		if k.active(t, last.AccessToken) {
			t.Error("reuse leaves the family alive")
		}
	})
	t.Run("fixed", func(t *testing.T) {
		first := web("fixed")
		for range 2 {
			if got := good(t, refresh("fixed", first.RefreshToken)); got.RefreshToken != first.RefreshToken {
				t.Error("rotated")
			}
		}
	})
	t.Run("each token has its own life", func(t *testing.T) {
		first := web("brief")
		k.Clock.Advance(599 * time.Second)
		second := good(t, refresh("brief", first.RefreshToken))
		k.Clock.Advance(600 * time.Second)
		bad(t, refresh("brief", second.RefreshToken), 400, invalidRefresh)
	})
	t.Run("other client", func(t *testing.T) {
		first := web("shop")
		bad(t, refresh("fixed", first.RefreshToken), 400, invalidRefresh)
		good(t, refresh("shop", first.RefreshToken))
	})
}

// together runs f n times at once.
func together(n int, f func()) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f()
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

func TestParallelRefreshesMakeOneSuccessor(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	var mu sync.Mutex
	successors, accesses := map[string]int{}, map[string]bool{}
	together(50, func() {
		got := p.refresh(t, p.first.RefreshToken)
		mu.Lock()
		defer mu.Unlock()
		if got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
			return
		}
		a := good(t, got)
		successors[a.RefreshToken]++
		accesses[a.AccessToken] = true
	})
	if len(successors) != 1 || len(accesses) != 50 {
		t.Errorf("%d successors, %d access tokens", len(successors), len(accesses))
	}
	rotations, repeats := 0, 0
	for _, e := range k.Events(t) {
		switch {
		case e.Code != audit.TokenRequestAccessTokenRefreshed:
			t.Errorf("event %s", e.Code)
		case strings.Contains(e.Details, `"repeat":true`):
			repeats++
		default:
			rotations++
		}
	}
	if rotations != 1 || repeats != 49 {
		t.Errorf("%d rotations, %d repeats", rotations, repeats)
	}
}

func TestParallelWrongPINsAreThree(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	var mu sync.Mutex
	bodies := map[string]int{}
	together(100, func() {
		got := p.refresh(t, secret.NewToken())
		mu.Lock()
		defer mu.Unlock()
		bodies[got.Body]++
	})
	if bodies[remaining("2")] != 1 || bodies[remaining("1")] != 1 || bodies[limitReached] != 1 || bodies[invalidRefresh] != 97 {
		t.Errorf("answers %v", bodies)
	}
	limits := 0
	for _, code := range k.Codes(t) {
		if code == audit.TokenRequestRefreshTokenRetryCountExceeded {
			limits++
		}
	}
	if limits != 1 {
		t.Errorf("the limit was reported %d times", limits)
	}
}
