package registration_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/phone"
)

const (
	textStatement = "the client statement is not acceptable"
	registeredKey = `{"client_id":"ID","client_id_issued_at":TIME,"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256",` +
		`"kid":"KID","api_version":2,"configuration":` + configurationJSON + `}`
)

// attempt is one registration with a key, ready to be spoiled.
type attempt struct {
	f         *fixture
	key       *phone.Key
	challenge handedOut
	header    phone.Claims // of the statement, beside alg
	claims    phone.Claims
	body      map[string]any
	pairs     []string // headers
	statement string   // "" = signed from header and claims
}

func (a *attempt) signed(t testing.TB) string {
	t.Helper()
	signed, err := a.key.Sign(a.header, a.claims)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// jwk is the public key of the attempt as a map, to be changed.
func (a *attempt) jwk(t testing.TB) map[string]any {
	t.Helper()
	jwk := a.key.JWK("")
	text, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func segment(t testing.TB, v any) string {
	t.Helper()
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// by signs the claims of an attempt with another algorithm.
func (a *attempt) by(t testing.TB, method jwt.SigningMethod, key any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims(a.claims))
	token.Header["typ"], token.Header["jwk"] = "client-statement+jwt", a.jwk(t)
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestRegisterWithKey(t *testing.T) {
	failed := []audit.Code{audit.DynamicRegFailed}
	for _, tc := range []struct {
		name    string
		version string // "" = 1.0
		spoil   func(t *testing.T, a *attempt)
		status  int // 0 = 400
		want    string
		audit   []audit.Code
		reason  string // in the details of the event
	}{
		{name: "good", status: 201, want: registeredKey, audit: []audit.Code{audit.DynamicRegSuccess}},
		{
			name: "second architecture", version: "2.0", status: 201, want: registeredKey, audit: []audit.Code{audit.DynamicRegSuccess},
			spoil: func(_ *testing.T, a *attempt) { a.claims["app_signature"] = armSignature },
		},
		{
			name: "integrity none takes any signature", version: "open 1", status: 201, want: registeredKey, audit: []audit.Code{audit.DynamicRegSuccess},
			spoil: func(_ *testing.T, a *attempt) { a.claims["app_signature"] = "repacked" },
		},
		{
			name: "evidence that nobody asked for", status: 201, want: registeredKey, audit: []audit.Code{audit.DynamicRegSuccess},
			spoil: func(_ *testing.T, a *attempt) {
				a.body["attestations"] = []any{map[string]string{"type": "android-key"}}
				a.body["software_statement"] = "a.b.c"
			},
		},
		{
			name: "clock at the edge", status: 201, want: registeredKey, audit: []audit.Code{audit.DynamicRegSuccess},
			spoil: func(_ *testing.T, a *attempt) {
				a.claims["iat"], a.claims["exp"] = a.f.Now().Add(10*time.Minute).Unix(), a.f.Now().Add(20*time.Minute).Unix()
			},
		},
		{
			name: "wrong signature of the app", status: 403, want: refusal("device_not_trusted", "integrity"), audit: failed, reason: "signature",
			spoil: func(_ *testing.T, a *attempt) { a.claims["app_signature"] = "repacked" },
		},
		{
			name: "empty signature of the app", status: 403, want: refusal("device_not_trusted", "integrity"), audit: failed, reason: "signature",
			spoil: func(_ *testing.T, a *attempt) { a.claims["app_signature"] = "" },
		},
		{
			name: "key registered already", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "key_reuse",
			spoil: func(t *testing.T, a *attempt) {
				first := a.f.withKey(t)
				a.key = first.key
				a.claims["sub"], a.header["jwk"] = first.kid, first.key.JWK("")
			},
		},
		{
			name: "jti of another statement", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jti",
			spoil: func(t *testing.T, a *attempt) {
				other := newAttempt(t, a.f, "")
				other.claims["jti"] = a.claims["jti"]
				if got := other.send(t); got.Status != 201 {
					t.Fatalf("got %+v", got)
				}
				a.f.Codes(t)
			},
		},
		{
			name: "challenge of another registration", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:challenge",
			spoil: func(t *testing.T, a *attempt) { a.claims["challenge"] = a.f.begin(t, "2").Challenge },
		},
		{
			name: "identifier of another registration", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:identifier",
			spoil: func(t *testing.T, a *attempt) { a.claims["identifier"] = a.f.begin(t, "2").Identifier },
		},
		{
			name: "alg none", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:alg",
			spoil: func(t *testing.T, a *attempt) {
				a.statement = a.by(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)
			},
		},
		{
			name: "alg HS256 under the public key", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:alg",
			spoil: func(t *testing.T, a *attempt) {
				a.statement = a.by(t, jwt.SigningMethodHS256, []byte(segment(t, a.jwk(t))))
			},
		},
		{
			name: "alg RS256", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:alg",
			spoil: func(t *testing.T, a *attempt) {
				key, err := rsa.GenerateKey(rand.Reader, 2048)
				if err != nil {
					t.Fatal(err)
				}
				a.statement = a.by(t, jwt.SigningMethodRS256, key)
			},
		},
		{
			name: "another typ", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:typ",
			spoil: func(_ *testing.T, a *attempt) { a.header["typ"] = "JWT" },
		},
		{
			name: "critical header", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:header",
			spoil: func(_ *testing.T, a *attempt) { a.header["crit"] = []string{"b64"} },
		},
		{
			name: "no key", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(_ *testing.T, a *attempt) { delete(a.header, "jwk") },
		},
		{
			name: "private key inside", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(t *testing.T, a *attempt) {
				jwk := a.jwk(t)
				jwk["d"] = jwk["x"]
				a.header["jwk"] = jwk
			},
		},
		{
			name: "key of another curve", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(t *testing.T, a *attempt) {
				jwk := a.jwk(t)
				jwk["crv"] = "P-384"
				a.header["jwk"] = jwk
			},
		},
		{
			name: "point not on the curve", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(t *testing.T, a *attempt) {
				jwk := a.jwk(t)
				jwk["x"] = jwk["y"]
				a.header["jwk"] = jwk
			},
		},
		{
			name: "coordinate with padding", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(t *testing.T, a *attempt) {
				jwk := a.jwk(t)
				jwk["x"] = jwk["x"].(string) + "="
				a.header["jwk"] = jwk
			},
		},
		{
			name: "signed with another key", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:signature",
			spoil: func(t *testing.T, a *attempt) {
				other := newAttempt(t, a.f, "")
				a.header["jwk"] = other.key.JWK("")
			},
		},
		{
			name: "changed payload", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:signature",
			spoil: func(t *testing.T, a *attempt) {
				parts := strings.Split(a.signed(t), ".")
				a.claims["app_signature"] = newSignature
				parts[1] = segment(t, a.claims)
				a.statement = strings.Join(parts, ".")
			},
		},
		{
			name: "not a JWS", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:format",
			spoil: func(_ *testing.T, a *attempt) { a.statement = "garbage" },
		},
		{
			name: "header is not an object", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:header",
			spoil: func(t *testing.T, a *attempt) { a.statement = segment(t, "[]") + ".e30.AA" },
		},
		{
			name: "repeated claim", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:claims",
			spoil: func(t *testing.T, a *attempt) {
				payload, err := json.Marshal(a.claims)
				if err != nil {
					t.Fatal(err)
				}
				a.statement = a.raw(t, strings.TrimSuffix(string(payload), "}")+`,"iss":"bank"}`)
			},
		},
		{
			name: "unknown claim", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:claims",
			spoil: func(_ *testing.T, a *attempt) { a.claims["role"] = "admin" },
		},
		{
			name: "statement too long", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:format",
			spoil: func(_ *testing.T, a *attempt) { a.claims["app_signature"] = strings.Repeat("s", 16<<10) },
		},
		{
			name: "another issuer", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:iss",
			spoil: func(_ *testing.T, a *attempt) { a.claims["iss"] = "shop" },
		},
		{
			name: "subject is not the key", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:sub",
			spoil: func(_ *testing.T, a *attempt) { a.claims["sub"] = "key" },
		},
		{
			name: "another audience", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:aud",
			spoil: func(_ *testing.T, a *attempt) { a.claims["aud"] = "https://ts.example" },
		},
		{
			name: "several audiences", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:claims",
			spoil: func(_ *testing.T, a *attempt) { a.claims["aud"] = []string{a.f.Issuer} },
		},
		{
			name: "short jti", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jti",
			spoil: func(_ *testing.T, a *attempt) { a.claims["jti"] = "short" },
		},
		{
			name: "lives too long", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:exp",
			spoil: func(_ *testing.T, a *attempt) { a.claims["exp"] = a.f.Now().Add(601 * time.Second).Unix() },
		},
		{
			name: "ends before it begins", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:exp",
			spoil: func(_ *testing.T, a *attempt) { a.claims["exp"] = a.claims["iat"] },
		},
		{
			name: "clock too far ahead", audit: failed, reason: "statement:iat",
			want: `{"error":"invalid_datetime","error_description":"the clock of the device is wrong","server_time":TIME}`,
			spoil: func(_ *testing.T, a *attempt) {
				a.claims["iat"], a.claims["exp"] = a.f.Now().Add(601*time.Second).Unix(), a.f.Now().Add(700*time.Second).Unix()
			},
		},
		{
			name: "clock too far behind", audit: failed, reason: "statement:exp",
			want: `{"error":"invalid_datetime","error_description":"the clock of the device is wrong","server_time":TIME}`,
			spoil: func(_ *testing.T, a *attempt) {
				a.claims["iat"], a.claims["exp"] = a.f.Now().Add(-700*time.Second).Unix(), a.f.Now().Add(-601*time.Second).Unix()
			},
		},
		{
			name: "clock wrong and audience wrong", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:aud",
			spoil: func(_ *testing.T, a *attempt) {
				a.claims["iat"], a.claims["exp"], a.claims["aud"] = 1, 2, "x"
			},
		},
		{
			name: "version differs from the header", want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader}, reason: "statement:app",
			spoil: func(_ *testing.T, a *attempt) { a.claims["app"].(phone.Claims)["version"] = "2.0" },
		},
		{
			name: "OS version differs from the header", want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader}, reason: "statement:device",
			spoil: func(_ *testing.T, a *attempt) { a.claims["device"].(phone.Claims)["os_version"] = "15" },
		},
		{
			name: "security state is not in the header", want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader}, reason: "statement:security_state",
			spoil: func(_ *testing.T, a *attempt) { a.claims["security_state"] = []string{"jailbreak"} },
		},
		{
			name: "no statement", want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
			spoil: func(_ *testing.T, a *attempt) { a.body["client_statement"] = "" },
		},
		{
			name: "no identifier", want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
			spoil: func(_ *testing.T, a *attempt) { delete(a.body, "identifier") },
		},
		{
			name: "attestations are not a list", want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
			spoil: func(_ *testing.T, a *attempt) { a.body["attestations"] = "none" },
		},
		{
			name: "unknown member", want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
			spoil: func(_ *testing.T, a *attempt) { a.body["more"] = true },
		},
		{
			name: "another version than at init", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(_ *testing.T, a *attempt) { a.pairs = []string{"X-App-Version", "2.0"} },
		},
		{
			name: "expired", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(_ *testing.T, a *attempt) { a.f.Clock.Advance(301 * time.Second) },
		},
		{
			name: "disabled meanwhile", status: 403, want: refusal("version_disabled", "this version of the app is disabled"), audit: []audit.Code{audit.DynamicRegVersionDisabled},
			spoil: func(_ *testing.T, a *attempt) {
				d := document()
				d.Applications[0].Versions[0].Status = "DISABLED"
				a.f.Settings.Set(d)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			a := newAttempt(t, f, tc.version)
			if tc.spoil != nil {
				tc.spoil(t, a)
			}
			got := a.send(t)
			events := f.Events(t)
			if tc.status == 0 {
				tc.status = 400
			}
			if got.Status != tc.status || masked(got.Body) != tc.want {
				t.Errorf("got  %d %s\nwant %d %s", got.Status, masked(got.Body), tc.status, tc.want)
			}
			if len(events) != len(tc.audit) || events[0].Code != tc.audit[0] {
				t.Fatalf("events %+v, want %v", events, tc.audit)
			}
			if tc.reason != "" && !strings.Contains(events[0].Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", events[0].Details, tc.reason)
			}
			// Whatever came of it, the challenge is gone, unless the request did not get that far.
			if tc.audit[0] == audit.DynamicRegFailed || tc.audit[0] == audit.DynamicRegSuccess {
				again := newAttempt(t, f, tc.version)
				again.challenge, again.claims["identifier"], again.claims["challenge"] = a.challenge, a.challenge.Identifier, a.challenge.Challenge
				again.body["identifier"] = a.challenge.Identifier
				f.want(t, again.send(t), 400, refusal("invalid_response", textChallenge), audit.DynamicRegFailed)
			}
		})
	}
}

// raw signs any payload.
func (a *attempt) raw(t testing.TB, payload string) string {
	t.Helper()
	header := map[string]any{"alg": "ES256"}
	for name, value := range a.header {
		header[name] = value
	}
	text := segment(t, header) + "." + segment(t, payload)
	signature, err := jwt.SigningMethodES256.Sign(text, a.key.Private())
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func newAttempt(t testing.TB, f *fixture, version string) *attempt {
	t.Helper()
	key, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if version == "" {
		version = "1.0"
	}
	pairs := []string{"X-App-Version", version}
	c := f.begin(t, "2", pairs...)
	signature := oldSignature
	if version == "2.0" {
		signature = newSignature
	}
	return &attempt{
		f: f, key: key, challenge: c, header: phone.Claims{"typ": "client-statement+jwt", "jwk": key.JWK("")},
		claims: f.claims(t, key, c, signature, pairs...), body: map[string]any{"identifier": c.Identifier}, pairs: pairs,
	}
}

func (a *attempt) send(t testing.TB) audittest.Answer {
	t.Helper()
	if _, given := a.body["client_statement"]; !given {
		if a.statement == "" {
			a.statement = a.signed(t)
		}
		a.body["client_statement"] = a.statement
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		t.Fatal(err)
	}
	return a.f.do(t, audittest.Request{Path: "/oauth/v2/client/registration", JSON: string(body), Header: headers("2", a.pairs...)})
}

func TestWhatRegistrationWithKeyStores(t *testing.T) {
	f := newFixture(t)
	a := newAttempt(t, f, "")
	a.body["device_name"] = "  Zoë's \u202ephone\x00 📱 "
	var done struct {
		ClientID string `json:"client_id"`
		KeyID    string `json:"kid"`
	}
	f.decode(t, a.send(t), 201, &done)
	got := f.stored(t, done.ClientID)
	jwk := a.key.JWK("")
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint := base64.RawURLEncoding.EncodeToString(sum)
	if got.KeyID != thumbprint || done.KeyID != thumbprint || got.APIVersion != 2 || got.SecretDigest != nil || got.UpgradeKey != nil ||
		got.SecretForm != "" || got.DeviceName != "Zoë's phone 📱" {
		t.Errorf("stored %+v", got)
	}
	if want := segment(t, string(got.PublicJWK)); want == "" || !json.Valid(got.PublicJWK) {
		t.Errorf("JWK %s", got.PublicJWK)
	}
	f.want(t, f.validate(t, "2", installed{id: done.ClientID, key: a.key, kid: done.KeyID}), 200, valid,
		audit.DynamicRegSuccess, audit.ClientCredentialsCheckSuccess)
}
