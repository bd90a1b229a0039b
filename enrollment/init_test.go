package enrollment_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const (
	initInvalid   = `{"error":"invalid_request","error_description":"keys, push token or proof are missing or wrong"}`
	initNoClient  = `{"error":"invalid_client","error_description":"the installation could not be authenticated"}`
	initNoToken   = `{"error":"invalid_token","error_description":"the access token of the user is missing or not usable"}`
	enrollmentOff = `{"error":"enrollment_disabled","error_description":"enrollment is disabled"}`
	featureOff    = `{"error":"disabled","error_description":"mobile authentication is disabled"}`
	versionOff    = `{"error":"version_disabled","error_description":"this version of the app is disabled"}`
	inUse         = `{"error":"push_token_in_use","error_description":"the push token belongs to another user's app instance"}`
	twice         = `{"error":"user_already_enrolled","error_description":"the user is enrolled already"}`
)

func TestInit(t *testing.T) {
	right := []string{"", "right"}
	disableVersion := func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled }
	for _, tc := range []struct {
		name      string
		settings  func(*settings.Document)
		platform  string // of the installation: android (A) unless ios (I)
		profile   string
		push      string
		claims    map[string]any
		body      map[string]any
		raw       string
		basic     []string
		header    http.Header
		prepare   func(t *testing.T, f *fixture, p *phone)
		status    int
		want      string
		wantCodes []audit.Code
		reason    string // in the details of the last event
	}{
		{name: "keys only", status: 201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized}, reason: `"push":false`},
		{
			name: "with push", push: push("android", 0), status: 201, want: "*",
			wantCodes: []audit.Code{audit.EnrollmentInitialized}, reason: `"push":true`,
		},
		{
			name: "ios with push", platform: "ios", push: push("ios", 0), status: 201, want: "*",
			wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{name: "another version that needs no proof", header: http.Header{
			"X-App-Identifier": {"harbour"}, "X-App-Platform": {"android"}, "X-App-Version": {"1.1"},
			"X-SDK-Version": {"1"}, "X-API-Version": {"1"},
		}, status: 201, want: "*", wantCodes: []audit.Code{audit.MobileClientUpdatedPlatformVersion, audit.EnrollmentInitialized}},
		{
			name: "mobile authentication off", settings: func(d *settings.Document) { d.Features.MobileAuthentication = off() },
			status: 404, want: featureOff, wantCodes: []audit.Code{audit.EnrollmentFailureDisabled},
		},
		{
			name: "enrollment off", settings: func(d *settings.Document) { d.MobileAuthentication.EnrollmentEnabled = off() },
			status: 403, want: enrollmentOff, wantCodes: []audit.Code{audit.EnrollmentFailureDisabled},
		},
		{
			name: "push enrollment off", settings: func(d *settings.Document) { d.MobileAuthentication.PushEnrollmentEnabled = off() },
			push: push("android", 0), status: 403, want: refusal("enrollment_disabled", "enrollment for push is disabled"),
			wantCodes: []audit.Code{audit.EnrollmentFailureDisabled},
		},
		{
			name: "push enrollment off, keys only", settings: func(d *settings.Document) { d.MobileAuthentication.PushEnrollmentEnabled = off() },
			status: 201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "version disabled", settings: disableVersion, status: 403, want: versionOff,
			wantCodes: []audit.Code{audit.ClientValidationVersionDisabled},
		},

		{
			name: "malformed", raw: `{"keys":`, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"body"`,
		},
		{
			name: "too large", raw: `{"proof":"` + strings.Repeat("x", 64<<10) + `"}`, status: 413,
			want:      refusal("invalid_request", "the body is too large"),
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"body"`,
		},
		{
			name: "unknown member", body: map[string]any{"more": 1}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"body"`,
		},
		{
			name: "no keys", body: map[string]any{"keys": nil}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"keys"`,
		},
		{
			name: "a private key", body: map[string]any{"keys": []any{map[string]any{"kty": "EC", "d": "x"}}}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"keys"`,
		},
		{
			name: "short push token", push: "fcm", status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"push_token"`,
		},
		{
			name: "blank in push token", push: push("android", 0) + " x", status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"push_token"`,
		},
		{
			name: "push token of the other platform", platform: "ios", push: push("android", 0), status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"push_token"`,
		},
		{
			name: "no proof", body: map[string]any{"proof": ""}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_shape"`,
		},
		{
			name: "proof of another step", claims: map[string]any{"step": "ack"}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_claims"`,
		},
		{
			name: "proof for another client", claims: map[string]any{"client_id": id("B")}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_claims"`,
		},
		{
			name: "proof over other keys", claims: map[string]any{"keys_hash": "x"}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_claims"`,
		},
		{
			name: "proof for another server", claims: map[string]any{"aud": "https://elsewhere/oauth"}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_aud"`,
		},
		{
			name: "old proof", claims: map[string]any{"iat": 1}, status: 400, want: initInvalid,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidReq}, reason: `"reason":"proof_iat"`,
		},
		{
			name: "another API version than registered", header: http.Header{"X-Api-Version": {"2"}}, status: 403,
			want:      refusal("api_version_not_allowed", "the installation is registered with another API version"),
			wantCodes: []audit.Code{audit.APIVersionNotAllowed}, reason: `"api_version":1`,
		},

		{
			name: "no client authentication", basic: []string{}, status: 401, want: initNoClient,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"client_authentication"`,
		},
		{
			name: "wrong secret", basic: []string{id("A"), "wrong"}, status: 401, want: initNoClient,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"client_authentication":"wrong_secret"`,
		},
		{
			name: "web client", basic: []string{"web", "right"}, status: 401, want: initNoClient,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"client_authentication":"no_installation"`,
		},

		{
			name: "no access token", body: map[string]any{"access_token": ""}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"unknown"`,
		},
		{
			name: "expired access token", body: map[string]any{"access_token": "expired"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"expired"`,
		},
		{
			name: "revoked access token", body: map[string]any{"access_token": "revoked"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"revoked"`,
		},
		{
			name: "access token of another client", body: map[string]any{"access_token": "B/u-1"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"other_client"`,
		},
		{
			name: "access token without a user", body: map[string]any{"access_token": "A"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"kind"`,
		},
		{
			name: "implicit access token", body: map[string]any{"access_token": "implicit"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"kind":"IMPLICIT_AUTHENTICATION"`,
		},
		{
			name: "stateless access token", body: map[string]any{"access_token": "stateless"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"kind":"STATELESS_AUTHENTICATION"`,
		},
		{
			name: "access token of a removed profile", body: map[string]any{"access_token": "gone"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"no_profile"`,
		},
		{
			name: "access token of another profile", body: map[string]any{"access_token": "A/u-2"}, status: 401, want: initNoToken,
			wantCodes: []audit.Code{audit.EnrollmentInitFailureInvalidToken}, reason: `"reason":"other_profile"`,
		},
		{
			name: "token store away", prepare: func(_ *testing.T, f *fixture, _ *phone) { f.RedisServer.Close() }, status: 503,
			want: refusal("temporarily_unavailable", "the server cannot work right now, try again shortly"),
		},

		{
			name: "same user, same installation, single device", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "A", "PROF01", push("android", 1)) },
			status:  409, want: twice, wantCodes: []audit.Code{audit.EnrollmentInitFailureUserEnrolled},
		},
		{
			name: "same user, other installation, single device", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", push("android", 1)) },
			status:  409, want: twice, wantCodes: []audit.Code{audit.EnrollmentInitFailureUserEnrolled},
		},
		{
			name: "same user, other installation, keys only there", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", "") },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name:    "same user, other installation, keys only here",
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", push("android", 1)) },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "same user, other application", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "Z", "PROF01", push("android", 1)) },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "same user, other installation, override", settings: mode(settings.OverrideAllowed), push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", push("android", 1)) },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "same user, other installation, many devices", settings: mode(settings.MultipleDevices), push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", push("android", 1)) },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "dead push token stands in nobody's way", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) {
				p := f.enroll(t, "A", "PROF01", push("android", 1))
				e, err := f.Store.Enrollment(t.Context(), p.id)
				must(t, err)
				must(t, f.Store.MarkPushStale(t.Context(), e.ID, e.PushTokenHash, f.Now()))
			}, status: 201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "another user, same installation, same push token", profile: "PROF02", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "A", "PROF01", push("android", 0)) },
			status:  201, want: "*", wantCodes: []audit.Code{audit.EnrollmentInitialized},
		},
		{
			name: "another user, other installation, same push token", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF02", push("android", 0)) },
			status:  409, want: inUse, wantCodes: []audit.Code{audit.EnrollmentInitFailureExistingPushToken},
		},
		{
			name: "same user, other installation, same push token: reinstalled", push: push("android", 0),
			prepare: func(t *testing.T, f *fixture, _ *phone) { f.enroll(t, "B", "PROF01", push("android", 0)) },
			status:  201, want: "*",
			wantCodes: []audit.Code{audit.EnrollmentInitDropExistingAppInstance, audit.EnrollmentInitialized},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			f.moreTokens(t)
			client := "A"
			if tc.platform == "ios" {
				client = "I"
			}
			profile := "PROF01"
			if tc.profile != "" {
				profile = tc.profile
			}
			p := newPhone(t, client, profile)
			if tc.settings != nil {
				f.set(tc.settings)
			}
			if tc.prepare != nil {
				tc.prepare(t, f, p)
			}
			basic := tc.basic
			if basic == nil {
				basic = slices.Clone(right)
				basic[0] = id(client)
			}
			if name, ok := tc.body["access_token"].(string); ok {
				tc.body = map[string]any{"access_token": f.tokens[name]}
			}
			body := tc.raw
			if body == "" {
				body = f.initBody(t, p, tc.push, tc.claims, tc.body)
			}
			before := f.enrolled(t)
			got := audittest.Do(t, f.handler, audittest.Request{
				Path: initPath, JSON: body, Basic: basic, Header: canonical(tc.header),
			})
			events := f.Events(t)
			codes := []audit.Code{}
			for _, e := range events {
				codes = append(codes, e.Code)
			}
			if got.Status != tc.status || tc.want != "*" && got.Body != tc.want || !slices.Equal(codes, append([]audit.Code{}, tc.wantCodes...)) {
				t.Fatalf("got %d %s %v\nwant %d %s %v", got.Status, got.Body, codes, tc.status, tc.want, tc.wantCodes)
			}
			if tc.reason != "" && !strings.Contains(events[len(events)-1].Details, tc.reason) {
				t.Errorf("details %s, want %s", events[len(events)-1].Details, tc.reason)
			}
			if dropped := slices.Contains(codes, audit.EnrollmentInitDropExistingAppInstance); dropped == slices.Equal(before, f.enrolled(t)) {
				t.Errorf("enrollments before %v, after %v", before, f.enrolled(t))
			}
		})
	}
}

// moreTokens adds access tokens that enroll nobody.
func (f *fixture) moreTokens(t *testing.T) {
	t.Helper()
	user := token.Grant{ClientID: id("A"), UserID: "u-1", ProfileID: "PROF01"}
	for name, kind := range map[string]store.TokenKind{"implicit": store.ImplicitToken, "stateless": store.StatelessToken} {
		user.Kind = kind
		f.issue(t, name, user)
	}
	user.Kind = store.DefaultToken
	f.issue(t, "revoked", user)
	revoked, err := f.service.Verify(t.Context(), f.tokens["revoked"])
	must(t, err)
	must(t, f.Store.InTx(t.Context(), func(ctx context.Context) error { return f.service.RevokeAccessToken(ctx, revoked) }))
	user.AccessLife = time.Second
	f.issue(t, "expired", user)
	f.Clock.Advance(time.Second)
	f.issue(t, "gone", token.Grant{ClientID: id("A"), Kind: store.DefaultToken, UserID: "u-9", ProfileID: "PROF09"})
}

func canonical(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

func TestInitAnswerAndRecord(t *testing.T) {
	f := newFixture(t)
	p := newPhone(t, "A", "PROF01")
	got := f.begin(t, p, push("android", 0))
	var body map[string]any
	must(t, json.Unmarshal([]byte(got.Body), &body))
	if len(body) != 3 || len(p.id) != 36 || len(p.challenge) != 43 || body["expires_in"] != 600.0 {
		t.Errorf("answer %s", got.Body)
	}
	if got.Header.Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
	pending, err := f.Redis.PendingEnrollment(t.Context(), p.id)
	must(t, err)
	if strings.Contains(string(pending.PushToken), "fcm:") {
		t.Error("the push token is not sealed")
	}
	if clear, err := f.Keys.Open(pending.PushToken, pending.PushTokenPlace()); err != nil || string(clear) != push("android", 0) {
		t.Errorf("push token %q, %v", clear, err)
	}
	event := f.Events(t)[0]
	if event.ClientID != id("A") || event.UserID != "u-1" || event.ProfileID != "PROF01" || event.Agent != "app:"+id("A") ||
		event.Application != "harbour" || event.Platform != "android" || event.Version != "1.0" {
		t.Errorf("event %+v", event)
	}
	if strings.Contains(event.Details, "fcm:") || strings.Contains(event.Details, p.challenge) {
		t.Errorf("a secret in %s", event.Details)
	}
}

// A proof may come again byte by byte, but its jti cannot carry other content.
func TestInitReplay(t *testing.T) {
	f := newFixture(t)
	p := newPhone(t, "A", "PROF01")
	const jti = "0b7d6b52-5f51-4d0e-9c57-5a4a8a7f2a10"
	do := func() audittest.Answer {
		return audittest.Do(t, f.handler, audittest.Request{
			Path: initPath, JSON: f.initBody(t, p, "", map[string]any{"jti": jti}), Basic: []string{id("A"), "right"},
		})
	}
	f.check(t, do(), 201, "*", audit.EnrollmentInitialized)
	f.check(t, do(), 400, initInvalid, audit.EnrollmentInitFailureInvalidReq)
	f.Clock.Advance(11 * time.Minute)
	f.check(t, do(), 201, "*", audit.EnrollmentInitialized)
}

func TestNothingIsAnsweredUnrecorded(t *testing.T) {
	f := newFixture(t)
	f.BreakCommits(store.ErrUnavailable)
	got := f.begin(t, newPhone(t, "A", "PROF01"), "")
	f.check(t, got, 503, refusal("temporarily_unavailable", "the server cannot work right now, try again shortly"))
}

// An installation of API version 2 proves itself with an assertion in the body; the header is free for the user's token.
func TestInitByAssertion(t *testing.T) {
	f := newFixture(t)
	key := newPhone(t, "K", "PROF01").sign
	text, err := json.Marshal(jwk(t, key, "sig"))
	must(t, err)
	must(t, f.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: id("K"), RegistrationID: "r-K", Application: "harbour", Platform: "android", Version: "1.0", APIVersion: 2,
		KeyID: "k", PublicJWK: text,
	}))
	must(t, f.Store.AddProfile(t.Context(), store.Profile{ClientID: id("K"), ProfileID: "PROF01", UserID: "u-1"}))
	f.issue(t, "K/u-1", token.Grant{ClientID: id("K"), Kind: store.DefaultToken, UserID: "u-1", ProfileID: "PROF01"})
	assertion := func() map[string]any {
		return map[string]any{
			"client_assertion_type": clientauth.AssertionType, "access_token": nil,
			"client_assertion": jws(t, key, f.Now(), map[string]any{"typ": "JWT", "kid": "k"}, map[string]any{
				"iss": id("K"), "sub": id("K"), "exp": f.Now().Add(time.Minute).Unix(),
			}),
		}
	}
	do := func(body map[string]any) audittest.Answer {
		return audittest.Do(t, f.handler, audittest.Request{
			Path: initPath, JSON: f.initBody(t, newPhone(t, "K", "PROF01"), "", nil, body), Bearer: f.tokens["K/u-1"],
		})
	}
	once := assertion()
	f.check(t, do(once), 201, "*", audit.EnrollmentInitialized)
	f.check(t, do(once), 401, initNoClient, audit.EnrollmentInitFailureInvalidToken)
	two := assertion()
	two["access_token"] = f.tokens["K/u-1"]
	f.check(t, do(two), 400, initInvalid, audit.EnrollmentInitFailureInvalidReq)
}

func TestInitIsThrottled(t *testing.T) {
	f := newFixture(t)
	do := func(secret string) audittest.Answer {
		return audittest.Do(t, f.handler, audittest.Request{
			Path: initPath, JSON: f.initBody(t, newPhone(t, "A", "PROF01"), ""), Basic: []string{id("A"), secret},
		})
	}
	for range 3 {
		f.check(t, do("wrong"), 401, initNoClient, audit.EnrollmentInitFailureInvalidToken)
	}
	throttled := refusal("temporarily_unavailable", "too many failed attempts of this client, try again in a minute")
	f.check(t, do("right"), 429, throttled, audit.RateLimitExceeded)
	f.check(t, do("right"), 429, throttled)
	f.Clock.Advance(2 * time.Minute)
	f.check(t, do("right"), 201, "*", audit.EnrollmentInitialized)
}
