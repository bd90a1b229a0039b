package oauth_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const fingerPrintGrant = "urn:onewelcome:oauth2:grant_type:finger_print"

// fingerAnswer is the success body of the exchange.
type fingerAnswer struct {
	answer
	Finger string `json:"finger_print_refresh_token"`
}

// exchange sends an exchange.
func (p *phone) exchange(t testing.TB, token string) audittest.Answer {
	t.Helper()
	return p.post(t, "/v1/token", []string{p.id, p.secret}, "grant_type", fingerPrintGrant, "refresh_token", token, "profile_id", p.profileID)
}

// exchanged sends an exchange that must succeed.
func (p *phone) exchanged(t testing.TB, token string) fingerAnswer {
	t.Helper()
	return fingerGood(t, p.exchange(t, token))
}

func fingerGood(t testing.TB, got audittest.Answer) fingerAnswer {
	t.Helper()
	var a fingerAnswer
	if err := json.Unmarshal([]byte(got.Body), &a); got.Status != http.StatusOK || err != nil {
		t.Fatalf("%d %s: %v", got.Status, got.Body, err)
	}
	return a
}

// byFinger refreshes with a fingerprint token.
func (p *phone) byFinger(t testing.TB, token string) audittest.Answer {
	t.Helper()
	return p.refresh(t, token, "refresh_token_type", "FINGER_PRINT")
}

func TestFingerPrintExchange(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, func(g *token.Grant) { g.AMR, g.ACR = []string{"pwd"}, "urn:level:2" })
	k.Codes(t)
	got := p.exchanged(t, p.first.RefreshToken)
	k.want(t, audit.TokenRequestFingerPrintTokenCreated)
	if len(got.Finger) != 64 || got.Finger == got.RefreshToken || got.RefreshToken == p.first.RefreshToken ||
		got.TokenType != "bearer" || got.ExpiresIn != 900 || got.Scope != "read openid" || got.ProfileID != p.profileID || got.IDToken != "" {
		t.Errorf("answer %+v", got)
	}
	if body := k.introspect(t, got.AccessToken); !strings.Contains(body, `"amr":["DEFAULT","pwd"]`) {
		t.Errorf("the access token of the exchange: %s", body)
	}
	k.Codes(t)
	finger := good(t, p.byFinger(t, got.Finger))
	k.want(t, audit.TokenRequestFingerPrintAccessTokenRefreshed)
	if finger.RefreshToken == got.Finger || finger.Scope != "read openid" {
		t.Errorf("refreshed by fingerprint: %+v", finger)
	}
	body := k.introspect(t, finger.AccessToken)
	if !strings.Contains(body, `"amr":["FINGER_PRINT","pwd"]`) || !strings.Contains(body, `"acr":"urn:level:2"`) {
		t.Errorf("the access token of the fingerprint: %s", body)
	}
	// The PIN goes on with the rotated token, and the fingerprint beside it.
	k.Codes(t)
	second := p.good(t, got.RefreshToken)
	good(t, p.byFinger(t, finger.RefreshToken))
	k.want(t, audit.TokenRequestAccessTokenRefreshed, audit.TokenRequestFingerPrintAccessTokenRefreshed)
	// A new exchange replaces the former fingerprint token.
	last := p.exchanged(t, second.RefreshToken)
	k.Codes(t)
	if k.active(t, finger.AccessToken) {
		t.Error("the access token of a replaced fingerprint token is alive")
	}
	good(t, p.byFinger(t, last.Finger))
}

func TestFingerPrintExchangeRefusals(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	k.profile(t, p.id, "second", "bob")
	other := newPhone(t, k, nil, nil)
	finger := p.exchanged(t, p.first.RefreshToken).Finger
	plain, plainSecret := k.installation(t, func(i *store.Installation) { i.Application = "plain" })
	noFinger, noFingerSecret := k.installation(t, func(i *store.Installation) { i.Application = "nofinger" })
	basic := []string{p.id, p.secret}
	const disabled = `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
	}{
		{"wrong secret", []string{p.id, "x"}, []string{"refresh_token", "x", "profile_id", p.profileID}, 401, badClient, audit.TokenRequestFingerPrintInvalidClientCredentials},
		{"unknown client", []string{"nobody", "x"}, []string{"refresh_token", "x", "profile_id", p.profileID}, 401, badClient, audit.TokenRequestFingerPrintInvalidClientCredentials},
		{"no client", nil, []string{"refresh_token", "x", "profile_id", p.profileID}, 401, badClient, audit.TokenRequestFingerPrintInvalidClientCredentials},
		{"two methods", basic, []string{"client_id", p.id, "client_secret", p.secret}, 400, twoMethods, audit.TokenRequestInvalid},
		{"fingerprint is off", []string{noFinger, noFingerSecret}, []string{"refresh_token", "x", "profile_id", p.profileID}, 400, disabled, audit.TokenRequestDisabledGrantType},
		{"PIN is off", []string{plain, plainSecret}, []string{"refresh_token", "x", "profile_id", p.profileID}, 400, disabled, audit.TokenRequestDisabledGrantType},
		{"web client", []string{"shop", webSecret}, []string{"refresh_token", "x", "profile_id", p.profileID}, 400, disabled, audit.TokenRequestDisabledGrantType},
		{"no token", basic, []string{"profile_id", p.profileID}, 400, `{"error":"invalid_request","error_description":"refresh_token is missing"}`, audit.TokenRequestInvalid},
		{"no profile", basic, []string{"refresh_token", "x"}, 400, `{"error":"invalid_request","error_description":"profile_id is missing"}`, audit.TokenRequestInvalid},
		{
			"malformed profile", basic,
			[]string{"refresh_token", "x", "profile_id", "AB12c"},
			400,
			`{"error":"invalid_request","error_description":"profile_id is missing or malformed"}`, audit.TokenRequestInvalidProfileID,
		},
		{"unknown profile", basic, []string{"refresh_token", "x", "profile_id", "nobody"}, 400, invalidRefresh, audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"profile without token", basic, []string{"refresh_token", "x", "profile_id", "second"}, 400, invalidRefresh, audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"fingerprint token", basic, []string{"refresh_token", finger, "profile_id", p.profileID}, 400, invalidRefresh, audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"another client's", basic, []string{"refresh_token", other.first.RefreshToken, "profile_id", p.profileID}, 400, remaining("2"), audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"unknown", basic, []string{"refresh_token", "x", "profile_id", p.profileID}, 400, remaining("1"), audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"unknown, at the limit", basic, []string{"refresh_token", secret.NewToken(), "profile_id", p.profileID}, 400, limitReached, audit.TokenRequestRefreshTokenRetryCountExceeded},
		{"the profile is gone", basic, []string{"refresh_token", finger, "profile_id", p.profileID}, 400, invalidRefresh, audit.TokenRequestFingerPrintInvalidRefreshToken},
		{"and its fingerprint with it", basic, []string{"grant_type", "refresh_token", "refresh_token_type", "FINGER_PRINT", "refresh_token", finger, "profile_id", p.profileID}, 400, invalidRefresh, audit.TokenRequestInvalidRefreshToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			form := tc.form
			if form[0] != "grant_type" {
				form = append([]string{"grant_type", fingerPrintGrant}, form...)
			}
			bad(t, k.post(t, "/v1/token", tc.basic, form...), tc.status, tc.want)
			k.want(t, tc.audit)
		})
	}
}

func TestFingerPrintExchangeOfEndedTokens(t *testing.T) {
	k := newKit(t)
	reason := func(want string) {
		t.Helper()
		events := k.Events(t)
		if len(events) != 1 || events[0].Code != audit.TokenRequestFingerPrintInvalidRefreshToken || !strings.Contains(events[0].Details, `"reason":"`+want+`"`) {
			t.Errorf("events %+v, want %s", events, want)
		}
	}
	expired := newPhone(t, k, nil, func(g *token.Grant) { g.FamilyLife = time.Hour })
	finger := expired.exchanged(t, expired.first.RefreshToken)
	k.Clock.Advance(time.Hour)
	k.Codes(t)
	bad(t, expired.exchange(t, finger.RefreshToken), 400, invalidRefresh)
	reason("expired")
	if expired.failures(t) != 0 {
		t.Error("an expired token is a right PIN")
	}
	// The end of the registration is the fingerprint's too; the family of the PIN took it along.
	bad(t, expired.byFinger(t, finger.Finger), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)

	reused := newPhone(t, k, nil, nil)
	second := reused.good(t, reused.first.RefreshToken)
	third := reused.exchanged(t, second.RefreshToken)
	k.Codes(t)
	bad(t, reused.exchange(t, reused.first.RefreshToken), 400, invalidRefresh)
	reason("reuse")
	bad(t, reused.byFinger(t, third.Finger), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)

	gone := newPhone(t, k, nil, nil)
	if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	k.Codes(t)
	bad(t, gone.exchange(t, gone.first.RefreshToken), 400, invalidRefresh)
	reason("account_disabled")
	if gone.failures(t) != 0 {
		t.Error("a right PIN counts")
	}
}

func TestFingerPrintExchangeIsRepeatable(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	first := p.exchanged(t, p.first.RefreshToken)
	k.Codes(t)
	again := p.exchanged(t, p.first.RefreshToken)
	if events := k.Events(t); len(events) != 1 || !strings.Contains(events[0].Details, `"repeat":true`) {
		t.Errorf("events %+v", events)
	}
	if again.RefreshToken != first.RefreshToken || again.Finger != first.Finger || again.AccessToken == first.AccessToken {
		t.Error("a repeat gives the same refresh tokens and a fresh access token")
	}
	// Once the fingerprint has been used, a repeat brings another one.
	used := good(t, p.byFinger(t, first.Finger))
	third := p.exchanged(t, p.first.RefreshToken)
	if third.Finger == first.Finger || third.RefreshToken != first.RefreshToken {
		t.Error("a used fingerprint token came back")
	}
	k.Codes(t)
	if k.active(t, used.AccessToken) {
		t.Error("the replaced fingerprint token left its access token")
	}
}

func TestFingerPrintMisuse(t *testing.T) {
	const misused = `{"error":"invalid_grant","error_description":"the fingerprint refresh token is wrong, the fingerprint tokens have been removed"}`
	for _, tc := range []struct {
		name   string
		scope  settings.MisuseScope
		others bool // the other profile keeps its fingerprint
	}{{"client by default", "", false}, {"client", settings.MisuseClient, false}, {"profile", settings.MisuseProfile, true}} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			p := newPhone(t, k, nil, nil)
			finger := p.exchanged(t, p.first.RefreshToken)
			k.profile(t, p.id, "second", "bob")
			other := &phone{kit: k, id: p.id, secret: p.secret, profileID: "second"}
			other.first = k.issue(t, token.Grant{ClientID: p.id, ProfileID: "second", UserID: "bob", Scopes: []string{"read"}, Refresh: true})
			theirs := other.exchanged(t, other.first.RefreshToken)
			document := k.settings(t)
			document.OAuth.FingerprintMisuse = tc.scope
			k.Settings.Set(document)
			k.Codes(t)
			bad(t, p.byFinger(t, secret.NewToken()), 400, misused)
			k.want(t, audit.TokenRequestFingerPrintRefreshTokenRetryCountExceeded)
			bad(t, p.byFinger(t, finger.Finger), 400, invalidRefresh)
			k.want(t, audit.TokenRequestInvalidRefreshToken)
			if got := other.byFinger(t, theirs.Finger); (got.Status == http.StatusOK) != tc.others {
				t.Errorf("the other profile: %d %s", got.Status, got.Body)
			}
			p.good(t, finger.RefreshToken) // the PIN stays
			if p.failures(t) != 0 {
				t.Error("a wrong fingerprint counts as a PIN")
			}
		})
	}
}

func TestFingerPrintRefreshOfEndedTokens(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	first := p.exchanged(t, p.first.RefreshToken)
	second := good(t, p.byFinger(t, first.Finger))
	third := good(t, p.byFinger(t, second.RefreshToken))
	k.Codes(t)
	// Two rotations old: reuse, which ends every token of the profile.
	bad(t, p.byFinger(t, first.Finger), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	if k.active(t, third.AccessToken) {
		t.Error("reuse leaves access tokens")
	}
	k.Codes(t)
	bad(t, p.refresh(t, first.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)

	off := newPhone(t, k, nil, nil)
	finger := off.exchanged(t, off.first.RefreshToken)
	document := k.settings(t)
	document.Applications[0].FingerprintAuthentication = false
	k.Settings.Set(document)
	k.Codes(t)
	bad(t, off.byFinger(t, finger.Finger), 400, `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`)
	k.want(t, audit.TokenRequestDisabledGrantType)
	off.good(t, finger.RefreshToken)
}

func TestFingerPrintDiesWithTheRefreshToken(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	finger := p.exchanged(t, p.first.RefreshToken)
	byFinger := good(t, p.byFinger(t, finger.Finger))
	got := k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", finger.RefreshToken, "token_type_hint", "refresh_token")
	if got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	k.Codes(t)
	if k.active(t, byFinger.AccessToken) {
		t.Error("the access token of the fingerprint is alive")
	}
	k.Codes(t)
	bad(t, p.byFinger(t, byFinger.RefreshToken), 400, invalidRefresh)
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	// Revoked on its own it leaves the PIN alone.
	p = newPhone(t, k, nil, nil)
	finger = p.exchanged(t, p.first.RefreshToken)
	k.Codes(t)
	if got := k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", finger.Finger); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	k.want(t, audit.TokenRevokeRefreshTokenSuccess)
	p.good(t, finger.RefreshToken)
}

func TestParallelFingerPrintRefreshesMakeOneSuccessor(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	finger := p.exchanged(t, p.first.RefreshToken)
	k.Codes(t)
	var mu sync.Mutex
	successors := map[string]int{}
	together(50, func() {
		got := p.byFinger(t, finger.Finger)
		mu.Lock()
		defer mu.Unlock()
		successors[good(t, got).RefreshToken]++
	})
	if len(successors) != 1 {
		t.Errorf("%d successors", len(successors))
	}
	rotations := 0
	for _, e := range k.Events(t) {
		if e.Code != audit.TokenRequestFingerPrintAccessTokenRefreshed {
			t.Errorf("event %s", e.Code)
		}
		if !strings.Contains(e.Details, `"repeat":true`) {
			rotations++
		}
	}
	if rotations != 1 {
		t.Errorf("%d rotations", rotations)
	}
}

func TestParallelExchangesGiveOnePair(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	var mu sync.Mutex
	pairs := map[[2]string]int{}
	together(20, func() {
		got := fingerGood(t, p.exchange(t, p.first.RefreshToken))
		mu.Lock()
		defer mu.Unlock()
		pairs[[2]string{got.RefreshToken, got.Finger}]++
	})
	if len(pairs) != 1 {
		t.Errorf("%d pairs", len(pairs))
	}
}

func TestParallelGuessesAtTheExchangeAreThree(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	var mu sync.Mutex
	bodies := map[string]int{}
	together(100, func() {
		got := p.exchange(t, secret.NewToken())
		mu.Lock()
		defer mu.Unlock()
		bodies[got.Body]++
	})
	if bodies[remaining("2")] != 1 || bodies[remaining("1")] != 1 || bodies[limitReached] != 1 || bodies[invalidRefresh] != 97 {
		t.Errorf("answers %v", bodies)
	}
	if _, err := k.Store.Profile(t.Context(), p.id, p.profileID); err == nil {
		t.Error("the profile is still there")
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
