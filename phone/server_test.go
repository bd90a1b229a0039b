package phone_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/phone"
)

const (
	testIssuer    = "https://public.example/oauth" // differs from the address on purpose: only discovery knows it
	testSignature = "3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63"
	testProfile   = "QW4RTY"
	testPIN       = "48213"
	testClientID  = "0A61D2F4"
	testSecret    = "5A1C9E77D20B4F8836E1A94C0D7B62F3C4185E9A7F20D3B16C8847E50FA9B21D"
	testChallenge = "9d1e4b7c02f85a6633c1e0d9a4472b8f50bc6ad21977e3450fa8c2b6e49d1037"
	enrollmentID  = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
)

// testNow is the clock of the tests. Nothing in them waits for it.
func testNow() time.Time { return time.Unix(1795183200, 0) }

// fakeServer holds the phone to the protocol: it checks what arrives and answers as the references say.
type fakeServer struct {
	t   *testing.T
	url string

	mu        sync.Mutex
	bound     bool             // secrets are bound to the signature
	public    *ecdsa.PublicKey // client key of API version 2
	jtis      map[string]bool
	version   string // stored app version
	token     string // live refresh token
	failures  int
	maxPIN    int
	knows     []string // profiles named by validation
	forgotten bool     // the installation is unknown
	upgraded  string   // secret after an upgrade
	sign, enc *ecdsa.PublicKey
	server    [2]*phone.Key // enc, sig
	challenge string
	version2  bool // the transaction asks for signing
	cut       int  // answers of the fetch endpoint to lose
	proofs    []string
	answers   []string
	grants    []url.Values
	revoked   []string

	attestations  any
	generation    string // of the client tokens; changing it forgets the old ones
	refuseClients bool   // refuse client tokens whatever they are
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{t: t, jtis: make(map[string]bool), maxPIN: 3, knows: []string{testProfile}, version: "1.0.0"}
	for i := range s.server {
		key, err := phone.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		s.server[i] = key
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /oauth/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"issuer": testIssuer, "authorization_response_iss_parameter_supported": true})
	})
	mux.HandleFunc("POST /oauth/v1/client/registration/init", s.init)
	mux.HandleFunc("POST /oauth/v2/client/registration/init", s.init)
	mux.HandleFunc("POST /oauth/v1/client/registration/complete", s.completeSecret)
	mux.HandleFunc("POST /oauth/v2/client/registration", s.completeKey)
	mux.HandleFunc("POST /oauth/v1/client/validation", s.validation)
	mux.HandleFunc("POST /oauth/v2/client/validation", s.validation)
	mux.HandleFunc("POST /oauth/v1/client/upgrade", s.upgrade)
	mux.HandleFunc("POST /oauth/v2/client/upgrade", s.upgrade)
	mux.HandleFunc("PUT /oauth/v1/client/device-name", s.rename)
	mux.HandleFunc("POST /oauth/v1/token", s.tokens)
	for _, path := range []string{"revoke", "revoke/client", "revoke/profile", "revoke/profile/tokens"} {
		mux.HandleFunc("POST /oauth/v1/"+path, s.revoke)
	}
	mux.HandleFunc("POST /oauth/mobile-auth/v1/enrollments", s.enroll)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/enrollments/key", s.enrollKey)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/enrollments/acknowledge", s.acknowledge)
	mux.HandleFunc("PUT /oauth/mobile-auth/v1/push-token", s.pushToken)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/transactions/pending", s.pending)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/transactions/fetch", s.fetch)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/otp/fetch", s.fetch)
	mux.HandleFunc("POST /oauth/mobile-auth/v1/otp", func(w http.ResponseWriter, r *http.Request) {
		if s.body(r); r.Header.Get("Authorization") != "Bearer AT-authorization_code" {
			t.Errorf("authorization %s", r.Header.Get("Authorization"))
		}
		reply(w, 201, map[string]any{"otp": "one-time", "expires_in": 120})
	})
	mux.HandleFunc("POST /oauth/mobile-auth/{version}/transactions/answer", s.answer)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *fakeServer) app(api int) phone.App {
	return phone.App{
		BaseURL: s.url + "/oauth", Identifier: "harbour", Platform: phone.Android, Version: "1.0.0", OSVersion: "14", Model: "Pixel 8",
		SDKVersion: "2.0.0", APIVersion: api, Signature: testSignature, RedirectURL: "myapp://login", SecurityState: []string{"debugger"},
	}
}

func (s *fakeServer) phone(api int) *phone.Phone {
	s.t.Helper()
	p, err := phone.New(s.app(api), phone.Options{Now: testNow})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// body decodes a JSON body and checks the identification headers.
func (s *fakeServer) body(r *http.Request) map[string]any {
	s.headers(r)
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.t.Errorf("%s: body: %v", r.URL.Path, err)
	}
	return body
}

func (s *fakeServer) headers(r *http.Request) {
	for name, want := range map[string]string{
		"X-App-Identifier": "harbour", "X-App-Platform": "android", "X-OS-Version": "14", "X-Device-Model": "Pixel 8",
		"X-SDK-Version": "2.0.0", "X-Security-State": "debugger",
	} {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			s.t.Errorf("%s: header %s = %v", r.URL.Path, name, got)
		}
	}
	if r.Header.Get("X-App-Version") == "" || !strings.Contains("12", r.Header.Get("X-API-Version")) {
		s.t.Errorf("%s: version headers %v", r.URL.Path, r.Header)
	}
}

// client checks the authentication of the installation.
func (s *fakeServer) client(r *http.Request, member func(string) string) bool {
	if s.public == nil {
		secret := testSecret
		if s.upgraded != "" {
			secret = s.upgraded
		}
		if s.bound {
			m := hmac.New(sha256.New, phone.SignatureKey(testSignature))
			m.Write([]byte(secret))
			secret = base64.RawURLEncoding.EncodeToString(m.Sum(nil))
		}
		id, given, ok := r.BasicAuth()
		return ok && id == testClientID && given == secret
	}
	if member("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return false
	}
	claims := s.verify(member("client_assertion"), s.public, "JWT", "kid-1")
	return claims["iss"] == testClientID && claims["sub"] == testClientID && claims["exp"].(float64) > float64(testNow().Unix())
}

// verify checks a JWS of the phone: signature, type, key id, audience, and that its jti is new.
func (s *fakeServer) verify(text string, key *ecdsa.PublicKey, typ, kid string) jwt.MapClaims {
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(testNow), jwt.WithAudience(testIssuer)).
		Parse(text, func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		s.t.Errorf("verify %s: %v", typ, err)
		return jwt.MapClaims{}
	}
	claims := token.Claims.(jwt.MapClaims)
	jti, _ := claims["jti"].(string)
	if token.Header["typ"] != typ || (kid != "" && token.Header["kid"] != kid) || claims["iat"] != float64(testNow().Unix()) || len(jti) < 20 || s.jtis[jti] {
		s.t.Errorf("header %v, claims %v", token.Header, claims)
	}
	s.jtis[jti] = true
	return claims
}

func reply(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func text(body map[string]any) func(string) string {
	return func(name string) string { v, _ := body[name].(string); return v }
}

func configuration() map[string]any {
	return map[string]any{"pin_policy": map[string]any{"length": 5, "max_similar_digits": 2, "sequences_allowed": false}, "max_pin_failures": 3}
}

func (s *fakeServer) init(w http.ResponseWriter, r *http.Request) {
	if body := s.body(r); len(body) != 0 {
		s.t.Errorf("init body %v", body)
	}
	reply(w, 200, map[string]any{"identifier": "id-1", "challenge": testChallenge, "server_time": testNow().Unix(), "expires_in": 300})
}

// ocra is written again here, from the text of the reference, so that phone and test do not share a mistake.
func ocra(key []byte, challenge string) string {
	question, _ := hex.DecodeString(challenge)
	data := append([]byte("OCRA-1:HOTP-SHA256-0:QH64-T1M\x00"), question...)
	data = append(data, make([]byte, 128-len(question))...)
	data = binary.BigEndian.AppendUint64(data, uint64(testNow().Unix()/60))
	m := hmac.New(sha256.New, key)
	m.Write(data)
	return hex.EncodeToString(m.Sum(nil))
}

func (s *fakeServer) completeSecret(w http.ResponseWriter, r *http.Request) {
	body := text(s.body(r))
	if body("identifier") != "id-1" || subtle.ConstantTimeCompare([]byte(body("response")), []byte(ocra(phone.SignatureKey(testSignature), testChallenge))) != 1 {
		reply(w, 400, map[string]any{"error": "invalid_response"})
		return
	}
	reply(w, 201, map[string]any{"client_id": testClientID, "client_secret": testSecret, "api_version": 1, "configuration": configuration()})
}

// statement verifies a client statement and returns its key.
func (s *fakeServer) statement(text, version string) *ecdsa.PublicKey {
	var public jose.JSONWebKey
	parsed, _, err := jwt.NewParser().ParseUnverified(text, jwt.MapClaims{})
	if err != nil {
		s.t.Fatalf("statement: %v", err)
	}
	header, _ := json.Marshal(parsed.Header["jwk"])
	if err := public.UnmarshalJSON(header); err != nil || !public.IsPublic() {
		s.t.Fatalf("statement jwk %s: %v", header, err)
	}
	claims := s.verify(text, public.Key.(*ecdsa.PublicKey), "client-statement+jwt", "")
	thumbprint, _ := public.Thumbprint(5) // crypto.SHA256
	app, device := claims["app"].(map[string]any), claims["device"].(map[string]any)
	if claims["sub"] != base64.RawURLEncoding.EncodeToString(thumbprint) || claims["iss"] != "harbour" || claims["identifier"] != "id-1" ||
		claims["challenge"] != testChallenge || app["version"] != version || app["platform"] != "android" || device["model"] != "Pixel 8" ||
		claims["exp"].(float64)-claims["iat"].(float64) > 600 || fmt.Sprint(claims["security_state"]) != "[debugger]" || claims["app_signature"] == "" {
		s.t.Errorf("statement claims %v", claims)
	}
	return public.Key.(*ecdsa.PublicKey)
}

func (s *fakeServer) completeKey(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	s.public = s.statement(text(body)("client_statement"), "1.0.0")
	s.attestations = body["attestations"]
	if body["device_name"] != "Kim's Pixel" {
		s.t.Errorf("device name %v", body["device_name"])
	}
	reply(w, 201, map[string]any{"client_id": testClientID, "kid": "kid-1", "api_version": 2, "configuration": configuration()})
}

func (s *fakeServer) validation(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	if s.forgotten {
		reply(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	if r.Header.Get("X-App-Version") != s.version {
		reply(w, 200, map[string]any{"status": "UPGRADE_REQUIRED", "identifier": "id-1", "challenge": testChallenge})
		return
	}
	if !s.client(r, text(body)) {
		reply(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	reply(w, 200, map[string]any{"status": "VALID", "configuration": configuration(), "profiles": s.knows, "server_time": testNow().Unix()})
}

func (s *fakeServer) upgrade(w http.ResponseWriter, r *http.Request) {
	body := text(s.body(r))
	version := r.Header.Get("X-App-Version")
	if strings.HasPrefix(r.URL.Path, "/oauth/v2/") {
		key := s.statement(body("client_statement"), version)
		if s.public != nil && (!key.Equal(s.public) || !s.client(r, body)) {
			reply(w, 400, map[string]any{"error": "invalid_client_statement"})
			return
		}
		if s.public == nil && !s.client(r, body) {
			reply(w, 401, map[string]any{"error": "invalid_client"})
			return
		}
		s.public, s.version = key, version
		reply(w, 200, map[string]any{"configuration": configuration(), "kid": "kid-1"})
		return
	}
	old := sha256.Sum256([]byte("ts-upgrade-v1" + testSecret))
	m := hmac.New(sha256.New, phone.SignatureKey("aabbccdd"))
	m.Write(old[:])
	if body("response") != ocra(m.Sum(nil), testChallenge) {
		reply(w, 403, map[string]any{"error": "device_not_trusted"})
		return
	}
	s.version, s.upgraded = version, strings.Repeat("AB", 32)
	reply(w, 200, map[string]any{"client_secret": s.upgraded, "configuration": configuration()})
}

func (s *fakeServer) rename(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	if !s.client(r, text(body)) || body["device_name"] != "Work phone" {
		reply(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
