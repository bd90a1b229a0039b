package customregistration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/store"
)

const (
	badMember   = `{"error":"invalid_request","error_description":"a member of the body is missing or malformed"}`
	badBody     = `{"error":"invalid_request","error_description":"the body is not what this address takes"}`
	badProof    = `{"error":"invalid_client","error_description":"the client could not be authenticated"}`
	badProfile  = `{"error":"invalid_request","error_description":"the profile id is missing, malformed or taken"}`
	badScope    = `{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`
	badProvider = `{"error":"invalid_idp_identifier","error_description":"there is no such identity provider for registration by API"}`
	noProvider  = `{"error":"idp_disabled","error_description":"the identity provider is disabled"}`
	noScript    = `{"error":"internal_server_error","error_description":"the service that decides about registrations gave no usable answer"}`
	noTx        = `{"error":"invalid_transaction","error_description":"the transaction is unknown, expired or used, or belongs to another client or identity provider"}`
	done        = `{"status":2000,"data":"welcome","oauth_token":{"token_type":"bearer","access_token":"ACCESS","refresh_token":"REFRESH","id_token":"ID","expires_in":900}}`
	right       = `"data":"ann:harbour"`
	profile     = `"profile_id":"AB12CD"`
)

// TestOneStep: every outcome of the last step that needs no first one.
func TestOneStep(t *testing.T) {
	params := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"k%d":["v"]`, i))
		}
		return `"hook_context_custom_params":{` + strings.Join(all, ",") + `}`
	}
	for _, tc := range []struct {
		name   string
		idp    string // "" = one
		basic  []string
		nobody bool // no credentials
		body   string
		status int
		want   string
		audit  []audit.Code
	}{
		{
			name: "accepted", body: `{` + right + `,` + profile + `,"scope":["openid","read","write"]}`, status: 200, want: done,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "accepted, default scopes", body: `{` + right + `,` + profile + `}`, status: 200, want: done,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "a transaction id is passed over", body: `{` + right + `,` + profile + `,"transaction_id":"x"}`, status: 200, want: done,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "refused, may try again", body: `{"data":"ann:wrong",` + profile + `}`, status: 200, want: `{"status":4001,"data":"wrong password"}`,
			audit: []audit.Code{audit.CustomRegistrationCompleteFailure},
		},
		{
			name: "refused for good", body: `{` + profile + `}`, status: 200, want: `{"status":5000,"data":"start again"}`,
			audit: []audit.Code{audit.CustomRegistrationCompleteFailure},
		},
		{
			name: "web client", basic: webBasic, body: `{` + right + `}`, status: 200,
			want:  `{"status":2000,"data":"welcome","oauth_token":{"token_type":"bearer","access_token":"ACCESS","refresh_token":"REFRESH","expires_in":600}}`,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "client without a provider, consent skipped", basic: []string{"default", webSecret}, body: `{` + right + `}`, status: 200,
			want:  `{"status":2000,"data":"welcome","oauth_token":{"token_type":"bearer","access_token":"ACCESS","expires_in":600}}`,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "stateless", body: `{` + right + `,"grant_type":"urn:onewelcome:oauth2:grant_type:stateless_authentication"}`, status: 200,
			want:  `{"status":2000,"data":"welcome","oauth_token":{"token_type":"bearer","access_token":"ACCESS","id_token":"ID","expires_in":900}}`,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{
			name: "stateless, refused", body: `{"data":"ann:wrong","grant_type":"urn:onewelcome:oauth2:grant_type:stateless_authentication"}`, status: 200,
			want: `{"status":4001,"data":"wrong password"}`, audit: []audit.Code{audit.StatelessCustomRegistrationCompleteFailure},
		},
		{
			name: "stateless, malformed profile", body: `{` + right + `,"profile_id":"x","grant_type":"urn:onewelcome:oauth2:grant_type:stateless_authentication"}`,
			status: 400, want: badProfile, audit: []audit.Code{audit.TokenRequestInvalidProfileID},
		},
		{
			name: "stateless, not a phone", basic: webBasic, body: `{` + right + `,"grant_type":"urn:onewelcome:oauth2:grant_type:stateless_authentication"}`,
			status: 400, want: `{"error":"unauthorized_client","error_description":"the client may not authenticate users without a registration"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
		{
			name: "unknown grant type", body: `{` + right + `,` + profile + `,"grant_type":"password"}`, status: 400,
			want:  `{"error":"unsupported_grant_type","error_description":"the grant type is not supported"}`,
			audit: []audit.Code{audit.TokenRequestUnsupportedGrantType},
		},
		{name: "no JSON", body: `x`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{name: "unknown member", body: `{` + right + `,"pin":"1"}`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{name: "a member twice", body: `{` + right + `,` + right + `}`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{name: "data is a number", body: `{"data":1}`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{name: "an assertion in version 1", body: `{"client_assertion":"x"}`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{
			name: "too large", body: `{"data":"` + strings.Repeat("x", 192<<10) + `"}`, status: 413,
			want: `{"error":"invalid_request","error_description":"the body is too large"}`, audit: []audit.Code{audit.TokenRequestInvalid},
		},
		{name: "too many parameters", body: `{` + profile + `,` + params(21) + `}`, status: 400, want: badMember, audit: []audit.Code{audit.TokenRequestInvalid}},
		{
			name: "malformed parameter", body: `{` + profile + `,"hook_context_custom_params":{"a b":["v"]}}`, status: 400, want: badMember,
			audit: []audit.Code{audit.TokenRequestInvalid},
		},
		{name: "no credentials", nobody: true, body: `{` + right + `}`, status: 400, want: badProof, audit: []audit.Code{audit.TokenRequestInvalidClient}},
		{
			name: "unknown client", basic: []string{strings.Repeat("0", 64), appSecret}, body: `{}`, status: 400, want: badProof,
			audit: []audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			name: "wrong secret", basic: []string{phoneV1, "x"}, body: `{}`, status: 400, want: badProof,
			audit: []audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			name: "an installation with a key", basic: []string{phoneV2, appSecret}, body: `{}`, status: 400, want: badProof,
			audit: []audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			name: "a disabled version", basic: []string{phoneOld, appSecret}, body: `{}`, status: 403,
			want:  `{"error":"version_disabled","error_description":"this version of the app is disabled"}`,
			audit: []audit.Code{audit.ClientValidationVersionDisabled},
		},
		{
			name: "application that registers nobody", basic: []string{phoneNobdy, appSecret}, body: `{}`, status: 400,
			want:  `{"error":"unauthorized_client","error_description":"the client may not register users in this way"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
		{
			name: "another's provider", basic: []string{phoneOther, appSecret}, body: `{}`, status: 400,
			want:  `{"error":"invalid_client","error_description":"the identity provider is not one of the client's"}`,
			audit: []audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{name: "unknown provider", idp: "none", body: `{}`, status: 404, want: badProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "a provider of browsers", idp: "accounts", body: `{}`, status: 404, want: badProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "disabled provider", idp: "closed", body: `{}`, status: 403, want: noProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "no profile", body: `{` + right + `}`, status: 400, want: badProfile, audit: []audit.Code{audit.TokenRequestInvalidProfileID}},
		{name: "malformed profile", body: `{` + right + `,"profile_id":"AB12C!"}`, status: 400, want: badProfile, audit: []audit.Code{audit.TokenRequestInvalidProfileID}},
		{
			name: "another's scope", body: `{` + right + `,` + profile + `,"scope":["admin"]}`, status: 400, want: badScope,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "malformed scope", body: `{` + right + `,` + profile + `,"scope":["read write"]}`, status: 400, want: badScope,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "a scope that is asked each time", body: `{` + right + `,` + profile + `,"scope":["each"]}`, status: 400,
			want:  `{"error":"invalid_scope","error_description":"a scope needs the user's consent each time, which cannot be asked here"}`,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "level too low", body: `{` + right + `,` + profile + `,"scope":["high"]}`, status: 403,
			want:  `{"error":"insufficient_level","error_description":"the scopes demand a higher authentication level than the identity provider gives"}`,
			audit: []audit.Code{audit.AuthzRequestAuthenticationLvlInsufficient},
		},
		{
			name: "level high enough", idp: "strong", body: `{` + right + `,` + profile + `,"scope":["high","openid"]}`, status: 200, want: done,
			audit: []audit.Code{audit.TokenRequestAccessTokenCreated},
		},
		{name: "service away", idp: "nowhere", body: `{` + right + `,` + profile + `}`, status: 500, want: noScript, audit: []audit.Code{audit.CustomRegistrationScriptError}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			idp, basic := tc.idp, tc.basic
			if idp == "" {
				idp = "one"
			}
			if basic == nil && !tc.nobody {
				basic = app
			}
			a := k.post(t, "/custom-registration/"+idp+"/complete", basic, tc.body)
			got := a.Body
			if strings.Contains(got, "oauth_token") {
				got = masked(t, a)
			}
			if a.Status != tc.status || got != tc.want {
				t.Errorf("%d %s\nwant %d %s", a.Status, got, tc.status, tc.want)
			}
			if a.Header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
			k.want(t, tc.audit...)
		})
	}
}

// TestTheServiceIsBelievedOnlyWhenItAnswersStrictly: whatever else it does is an error, without tokens.
func TestTheServiceIsBelievedOnlyWhenItAnswersStrictly(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		arrange    func(*standin.Registrar)
		status     int
		want       string
	}{
		{name: "no status", says: `{"user":{"id":"ann"}}`},
		{name: "status is a text", says: `{"status":"2000","user":{"id":"ann"}}`},
		{name: "status with a fraction", says: `{"status":2000.0,"user":{"id":"ann"}}`},
		{name: "status with an exponent", says: `{"status":2e3,"user":{"id":"ann"}}`},
		{name: "negative status", says: `{"status":-2000,"user":{"id":"ann"}}`},
		{name: "status 0", says: `{"status":0}`},
		{name: "status 3000", says: `{"status":3000}`},
		{name: "status 3004", says: `{"status":3004}`},
		{name: "status 6000", says: `{"status":6000}`},
		{name: "status twice", says: `{"status":4000,"status":2000,"user":{"id":"ann"}}`},
		{name: "no user", says: `{"status":2000}`},
		{name: "user without id", says: `{"status":2000,"user":{"name":"Ann"}}`},
		{name: "id is a number", says: `{"status":2000,"user":{"id":1}}`},
		{name: "id is empty", says: `{"status":2000,"user":{"id":""}}`},
		{name: "id is too long", says: `{"status":2000,"user":{"id":"` + strings.Repeat("x", 256) + `"}}`},
		{name: "amr is a text", says: `{"status":2000,"user":{"id":"ann","amr":"pwd"}}`},
		{name: "user is a list", says: `{"status":2000,"user":[]}`},
		{name: "too many attributes", says: `{"status":2000,"user":{"id":"ann","x":"` + strings.Repeat("x", 33<<10) + `"}}`},
		{name: "payload is an object", says: `{"status":4000,"responsePayload":{}}`},
		{name: "payload too long", says: `{"status":4000,"responsePayload":"` + strings.Repeat("x", 65<<10) + `"}`},
		{name: "no JSON", says: `<html>`},
		{name: "a list", says: `[]`},
		{name: "too large", says: `{"status":4000,"x":"` + strings.Repeat("x", 300<<10) + `"}`},
		{name: "disconnects", arrange: func(r *standin.Registrar) { r.FailNext(9, 0) }},
		{name: "refuses us", arrange: func(r *standin.Registrar) { r.FailNext(9, 401) }},
		{name: "redirects", arrange: func(r *standin.Registrar) { r.FailNext(9, 302) }},
		{name: "broken", arrange: func(r *standin.Registrar) { r.FailNext(9, 500) }},
		{name: "no content", arrange: func(r *standin.Registrar) { r.FailNext(9, 204) }},
		{name: "unknown members", says: `{"status":4002,"responsePayload":null,"more":1}`, status: 200, want: `{"status":4002}`},
		{
			name: "another success", says: `{"status":2999,"user":{"id":"ann"}}`, status: 200,
			want: `{"status":2999,"oauth_token":{"token_type":"bearer","access_token":"ACCESS","refresh_token":"REFRESH","id_token":"ID","expires_in":900}}`,
		},
		{name: "the last status", says: `{"status":5999}`, status: 200, want: `{"status":5999}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			if tc.says != "" {
				k.registrar.Script(func(standin.RegistrarCall) string { return tc.says })
			}
			if tc.arrange != nil {
				tc.arrange(k.registrar)
			}
			a := k.post(t, "/custom-registration/one/complete", app, `{`+right+`,`+profile+`}`)
			want, codes := tc.want, []audit.Code{audit.CustomRegistrationCompleteFailure}
			got := a.Body
			switch {
			case want == "":
				tc.status, want, codes = 500, noScript, []audit.Code{audit.CustomRegistrationScriptError}
			case strings.Contains(want, "oauth_token"):
				got, codes = masked(t, a), []audit.Code{audit.TokenRequestAccessTokenCreated}
			}
			if a.Status != tc.status || got != want {
				t.Errorf("%d %s\nwant %d %s", a.Status, got, tc.status, want)
			}
			k.want(t, codes...)
		})
	}
}

// TestSlowService: the app does not wait for ever, and gets nothing.
func TestSlowService(t *testing.T) {
	k := newKit(t)
	k.hook.Client = outbound.New(outbound.Config{Timeout: 50 * time.Millisecond, AllowPrivate: outbound.Loopback()})
	k.registrar.Delay(time.Hour)
	a := k.post(t, "/custom-registration/one/complete", app, `{`+right+`,`+profile+`}`)
	if a.Status != 500 || a.Body != noScript {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	events := k.Events(t)
	if len(events) != 1 || events[0].Code != audit.CustomRegistrationScriptError || !strings.Contains(events[0].Details, `"reason":"timeout"`) {
		t.Errorf("events %+v", events)
	}
}

// TestTheCall: what the service is asked, signed, with the server's JWT.
func TestTheCall(t *testing.T) {
	k := newKit(t)
	k.post(t, "/custom-registration/one/complete", app, `{`+right+`,`+profile+`,"hook_context_custom_params":{"branch":["1","2"]}}`)
	k.post(t, "/custom-registration/two/init", webBasic, `{}`)
	k.post(t, "/api/v3/custom-registration/two/backchannel", nil, `{"data":"prepare"}`)
	calls := k.registrar.Calls()
	if len(calls) != 3 {
		t.Fatalf("%d calls, want 3", len(calls))
	}
	for i, want := range []struct{ path, body string }{
		{"/complete", `{"type":"CUSTOM_REGISTRATION_COMPLETE","identifier":"one","requestPayload":"ann:harbour","userIdentifier":null,"registrationData":null,` +
			`"hookContextCustomParams":{"branch":["1","2"]},"client":{"id":"` + phoneV1 + `","app_identifier":"bank","app_platform":"ios","app_version":"1.0"}}`},
		{"/init", `{"type":"CUSTOM_REGISTRATION_INIT","identifier":"two","requestPayload":null,"userIdentifier":null,"registrationData":null,` +
			`"hookContextCustomParams":null,"client":{"id":"web"}}`},
		{"/backchannel", `{"type":"CUSTOM_REGISTRATION_BACKCHANNEL","identifier":"two","requestPayload":"prepare","userIdentifier":null,"registrationData":null,` +
			`"hookContextCustomParams":null,"client":{"id":"portal"}}`},
	} {
		if calls[i].Path != want.path || string(calls[i].Body) != want.body {
			t.Errorf("call %d: %s %s\nwant %s %s", i, calls[i].Path, calls[i].Body, want.path, want.body)
		}
		if !strings.HasPrefix(calls[i].Header.Get("Authorization"), "Bearer ") || !strings.HasPrefix(calls[i].Header.Get("Webhook-Signature"), "v1,") {
			t.Errorf("call %d: headers %v", i, calls[i].Header)
		}
	}
}

// TestVersion2: assertions in the body.
func TestVersion2(t *testing.T) {
	k := newKit(t)
	spoiled := func(change func(*jwt.Token)) string {
		return `{` + right + `,` + profile + `,"client_assertion_type":"urn:ietf:params:oauth:client-assertion-type:jwt-bearer","client_assertion":"` +
			k.assertion(t, phoneV2, change) + `"}`
	}
	once := k.proved(t, phoneV2, right+`,`+profile)
	const unproved = `{"error":"invalid_request","error_description":"authenticate with client_assertion_type and client_assertion in the body"}`
	for _, tc := range []struct {
		name   string
		basic  []string
		body   string
		status int
		want   string
		audit  audit.Code
	}{
		{"accepted", nil, once, 200, done, audit.TokenRequestAccessTokenCreated},
		{"replayed", nil, once, 400, badProof, audit.TokenRequestInvalidClientCredentials},
		{"no assertion", nil, `{` + right + `,` + profile + `}`, 400, unproved, audit.TokenRequestInvalid},
		{"Basic", app, `{` + right + `,` + profile + `}`, 400, unproved, audit.TokenRequestInvalid},
		{"both", app, k.proved(t, phoneV2, right+`,`+profile), 400, unproved, audit.TokenRequestInvalid},
		{"another type", nil, `{"client_assertion_type":"x","client_assertion":"y"}`, 400, unproved, audit.TokenRequestInvalid},
		{"no kid", nil, spoiled(func(a *jwt.Token) { delete(a.Header, "kid") }), 400, badProof, audit.TokenRequestInvalidClientCredentials},
		{"two hours ahead", nil, spoiled(func(a *jwt.Token) { a.Claims.(jwt.MapClaims)["exp"] = k.Now().Add(2 * time.Hour).Unix() }), 400, badProof, audit.TokenRequestInvalidClientCredentials},
		{"another audience", nil, spoiled(func(a *jwt.Token) { a.Claims.(jwt.MapClaims)["aud"] = "https://other.example" }), 400, badProof, audit.TokenRequestInvalidClientCredentials},
		{"nobody", nil, k.proved(t, strings.Repeat("0", 64), right), 400, badProof, audit.TokenRequestInvalidClient},
		{
			"a web client", nil, k.proved(t, "signer", right), 200,
			`{"status":2000,"data":"welcome","oauth_token":{"token_type":"bearer","access_token":"ACCESS","expires_in":600}}`, audit.TokenRequestAccessTokenCreated,
		},
		{"a web client without kid", nil, `{` + right + `,"client_assertion_type":"urn:ietf:params:oauth:client-assertion-type:jwt-bearer","client_assertion":"` +
			k.assertion(t, "signer", func(a *jwt.Token) { delete(a.Header, "kid") }) + `"}`, 400, badProof, audit.TokenRequestInvalidClientCredentials},
	} {
		a := k.post(t, "/v2/custom-registration/one/complete", tc.basic, tc.body)
		got := a.Body
		if strings.Contains(got, "oauth_token") {
			got = masked(t, a)
		}
		if a.Status != tc.status || got != tc.want {
			t.Errorf("%s: %d %s\nwant %d %s", tc.name, a.Status, got, tc.status, tc.want)
		}
		k.want(t, tc.audit)
	}
}

// TestWhatTheTokensSay: profile, person, claims, methods.
func TestWhatTheTokensSay(t *testing.T) {
	k := newKit(t)
	k.registrar.Script(func(standin.RegistrarCall) string {
		return `{"status":2000,"user":{"id":"ann","amr":["nfc"],"email":"ann@example.org","mail":"m@example.org","n":12345678901234567890,` +
			`"gone":null,"iss":"https://evil.example","sub":"bob","exp":1,"nonce":"n","sid":"s"}}`
	})
	a := k.post(t, "/custom-registration/one/complete", app, `{`+profile+`,"scope":["openid","email"],"hook_context_custom_params":{"branch":["1"]}}`)
	access, refresh, id := tokensOf(t, a)
	record, err := k.tokens.Verify(t.Context(), access)
	if err != nil || record.UserID != "ann" || record.ProfileID != "AB12CD" || record.Kind != store.DefaultToken || !slices.Equal(record.AMR, []string{"nfc"}) || refresh == "" {
		t.Errorf("token %+v, %v", record, err)
	}
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(id, &claims); err != nil || claims["sub"] != "ann" || claims["iss"] != k.Issuer ||
		claims["email"] != "ann@example.org" || claims["sid"] != nil || claims["nonce"] != nil || claims["aud"] != phoneV1 {
		t.Errorf("ID token %v, %v", claims, err)
	}
	person, err := k.Store.Account(t.Context(), "ann")
	if err != nil || person.Namespace != "people" || person.Attributes.Text("mail") != "m@example.org" || person.Attributes["gone"] != nil ||
		person.Attributes["iss"] != nil || person.Attributes["sub"] != nil {
		t.Errorf("person %+v, %v", person, err)
	}
	if p, err := k.Store.Profile(t.Context(), phoneV1, "AB12CD"); err != nil || p.UserID != "ann" {
		t.Errorf("profile %+v, %v", p, err)
	}
	events := k.Events(t)
	if len(events) != 1 || events[0].UserID != "ann" || events[0].ClientID != phoneV1 || events[0].ProfileID != "AB12CD" ||
		!strings.Contains(events[0].Details, `"idp":"one"`) || !strings.Contains(events[0].Details, `"flow":"custom_registration"`) {
		t.Errorf("events %+v", events)
	}

	a = k.post(t, "/custom-registration/mapped/complete", app, `{"profile_id":"ZZ9999","scope":["openid","email"]}`)
	if _, _, id := tokensOf(t, a); id == "" {
		t.Fatalf("%d %s", a.Status, a.Body)
	} else if _, _, err := jwt.NewParser().ParseUnverified(id, &claims); err != nil || claims["email"] != "m@example.org" {
		t.Errorf("mapped ID token %v, %v", claims, err)
	}
	if person, err := k.Store.Account(t.Context(), "ann"); err != nil || len(person.Attributes) != 1 {
		t.Errorf("mapped person %+v, %v", person.Attributes, err)
	}
	if _, err := k.Store.Profile(t.Context(), phoneV1, "AB12CD"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the former profile of the user is still there: %v", err)
	}
}

// TestStateless: nothing stays on the installation.
func TestStateless(t *testing.T) {
	k := newKit(t)
	a := k.post(t, "/custom-registration/one/complete", app, `{`+right+`,`+profile+`,"grant_type":"urn:onewelcome:oauth2:grant_type:stateless_authentication"}`)
	access, refresh, _ := tokensOf(t, a)
	record, err := k.tokens.Verify(t.Context(), access)
	if err != nil || record.Kind != store.StatelessToken || record.ProfileID != "" || record.UserID != "ann" || refresh != "" {
		t.Errorf("token %+v %q, %v", record, refresh, err)
	}
	if all, err := k.Store.ProfilesOf(t.Context(), phoneV1); err != nil || len(all) != 0 {
		t.Errorf("profiles %v, %v", all, err)
	}
}

// TestWhoElseHasASay: the person's namespace, scope verification, the token hook. What they refuse uses the transaction up.
func TestWhoElseHasASay(t *testing.T) {
	const refused = `{"error":"access_denied","error_description":"the user may not sign in here"}`
	for _, tc := range []struct {
		name    string
		arrange func(*testing.T, *kit)
		basic   []string
		data    string // "" = right
		status  int
		want    string
		audit   audit.Code
	}{
		{name: "another namespace", arrange: func(t *testing.T, k *kit) {
			if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann"}); err != nil {
				t.Fatal(err)
			}
		}, status: 403, want: refused, audit: audit.IDPUserRefused},
		{name: "disabled person", arrange: func(t *testing.T, k *kit) {
			if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Namespace: "people", Disabled: true}); err != nil {
				t.Fatal(err)
			}
		}, status: 403, want: refused, audit: audit.IDPUserRefused},
		{name: "a client's id", data: `"data":"web:harbour"`, status: 403, want: refused, audit: audit.IDPUserRefused},
		{
			name: "unusable id", data: `"data":"a b:harbour"`, status: 500,
			want:  `{"error":"internal_server_error","error_description":"the service that decides about registrations names no usable user"}`,
			audit: audit.CustomRegistrationScriptError,
		},
		{name: "another's profile", arrange: func(t *testing.T, k *kit) {
			if err := k.Store.AddProfile(t.Context(), store.Profile{ClientID: phoneV1, ProfileID: "AB12CD", UserID: "bob", CreatedAt: k.Now()}); err != nil {
				t.Fatal(err)
			}
		}, status: 400, want: badProfile, audit: audit.TokenRequestInvalidProfileID},
		{
			name: "not entitled", arrange: func(_ *testing.T, k *kit) {
				k.verdicts.refusal = entitlement.Refusal{Refused: true, Scope: "read", Endpoint: "https://shop.example/"}
			}, status: 400, want: `{"error":"unauthorized_user","error_description":"the user may not have a requested scope","error_uri":"https://shop.example/"}`,
			audit: audit.TokenRequestNotAuthorizedForScope,
		},
		{
			name: "no verdict", arrange: func(_ *testing.T, k *kit) {
				k.verdicts.err = entitlement.NoVerdict{Trouble: outbound.Trouble{}.Because("timeout", errOutside)}
			}, status: 503, want: `{"error":"temporarily_unavailable","error_description":"the scopes cannot be verified right now"}`,
			audit: audit.ExternalScopeCheckFailed,
		},
		{
			name: "hook removes all", basic: webBasic, arrange: func(_ *testing.T, k *kit) { k.hook.answer = &hooks.TokenAnswer{Removed: []string{"read"}} },
			status: 400, want: `{"error":"invalid_scope","error_description":"none of the requested scopes can be granted"}`, audit: audit.TokenRequestScopeInvalid,
		},
		{name: "hook fails", basic: webBasic, arrange: func(_ *testing.T, k *kit) {
			k.hook.answer, k.hook.err = &hooks.TokenAnswer{}, hooks.Failure{Hook: "cut", Trouble: outbound.Trouble{}.Because("status", errOutside)}
		}, status: 503, want: `{"error":"temporarily_unavailable","error_description":"the token cannot be made right now"}`, audit: audit.WebHookCustomizeAccessTokenFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			basic, data := tc.basic, tc.data
			if basic == nil {
				basic = app
			}
			if data == "" {
				data = right
			}
			if tc.arrange != nil {
				tc.arrange(t, k)
			}
			a := k.post(t, "/custom-registration/two/init", basic, `{}`)
			var begun struct {
				ID string `json:"transaction_id"`
			}
			if err := json.Unmarshal([]byte(a.Body), &begun); err != nil {
				t.Fatal(err)
			}
			k.want(t, audit.CustomRegistrationInitSuccess)
			body := `{"transaction_id":"` + begun.ID + `",` + data
			if basic[0] == phoneV1 {
				body += `,` + profile
			}
			if a = k.post(t, "/custom-registration/two/complete", basic, body+`}`); a.Status != tc.status || a.Body != tc.want {
				t.Errorf("%d %s\nwant %d %s", a.Status, a.Body, tc.status, tc.want)
			}
			k.want(t, tc.audit)
			if a = k.post(t, "/custom-registration/two/complete", basic, body+`}`); a.Status != 400 || a.Body != noTx {
				t.Errorf("again: %d %s", a.Status, a.Body)
			}
			k.want(t, audit.TokenRequestInvalidGrant)
		})
	}
}

// TestTheHookCutsScopes: what it leaves is granted.
func TestTheHookCutsScopes(t *testing.T) {
	k := newKit(t)
	k.document.WebClients[0].DefaultScopes = []string{"read", "write"}
	k.Settings.Set(k.document)
	k.hook.answer = &hooks.TokenAnswer{Scopes: []string{"write"}, Removed: []string{"read"}}
	a := k.post(t, "/custom-registration/one/complete", webBasic, `{`+right+`,"hook_context_custom_params":{"branch":["1"]}}`)
	access, _, _ := tokensOf(t, a)
	record, err := k.tokens.Verify(t.Context(), access)
	if err != nil || !slices.Equal(record.Scopes, []string{"write"}) || record.ProfileID != "static" {
		t.Errorf("token %+v, %v", record, err)
	}
	if q := k.hook.asked; len(q) != 1 || q[0].UserID != "ann" || q[0].ClientID != "web" || !slices.Equal(q[0].Params["branch"], []string{"1"}) {
		t.Errorf("asked %+v", q)
	}
	if want := []string{"ann ann read,write"}; !slices.Equal(k.verdicts.asked, want) {
		t.Errorf("verified %v, want %v", k.verdicts.asked, want)
	}
}

// TestFeatureOff: registration by API can be switched off as a whole.
func TestFeatureOff(t *testing.T) {
	k := newKit(t)
	off := false
	k.document.Features = settings.Features{CustomRegistration: &off}
	k.Settings.Set(k.document)
	for path, codes := range map[string][]audit.Code{
		"/custom-registration/two/init":               {audit.UnableToDetermineIdentityProvider},
		"/custom-registration/two/complete":           {audit.UnableToDetermineIdentityProvider},
		"/api/v3/custom-registration/two/backchannel": {audit.APIAccessGranted, audit.UnableToDetermineIdentityProvider},
	} {
		if a := k.post(t, path, app, `{}`); a.Status != http.StatusForbidden || a.Body != noProvider {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		k.want(t, codes...)
	}
}

// TestOneWinner: of fifty who complete one transaction at once one gets tokens; no more than five reach the service.
func TestOneWinner(t *testing.T) {
	k := newKit(t)
	id, _ := k.begin(t, "two")
	const callers = 50
	var won atomic.Int32
	var all sync.WaitGroup
	answers := make([]audittest.Answer, callers)
	for i := range callers {
		all.Go(func() {
			answers[i] = k.post(t, "/custom-registration/two/complete", app, `{"transaction_id":"`+id+`",`+right+`,`+profile+`}`)
			if answers[i].Status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d winners, want one", won.Load())
	}
	for _, a := range answers {
		if a.Status != 200 && (a.Status != 400 || a.Body != noTx) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if calls := len(k.registrar.Calls()) - 1; calls < 1 || calls > 5 {
		t.Errorf("%d calls, want 1 to 5", calls)
	}
	counts := map[audit.Code]int{}
	for _, code := range k.Codes(t) {
		counts[code]++
	}
	if len(counts) != 2 || counts[audit.TokenRequestAccessTokenCreated] != 1 || counts[audit.TokenRequestInvalidGrant] != callers-1 {
		t.Errorf("events %v", counts)
	}
}
