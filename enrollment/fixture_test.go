package enrollment_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"tokenserver/audit"
	"tokenserver/enrollment"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/device"
	"tokenserver/internal/lifecycle"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// fixture is an enrollment handler on real stores, with installations:
//
//	A, B  android, application harbour; user u-1 has profile PROF01 on both, u-2 has PROF02 on both
//	I     ios, application harbour; user u-1 has PROF01
//	Z     android, application zoo; user u-1 has PROF01
type fixture struct {
	*audittest.Env
	handler http.Handler
	tokens  *tokens
	server  *device.ServerKeys
}

func newFixture(t testing.TB, change ...func(*settings.Document)) *fixture {
	t.Helper()
	env := audittest.New(t)
	f := &fixture{Env: env, tokens: &tokens{known: map[string]store.AccessToken{}, fails: map[string]error{}}}
	f.set(change...)
	for id, place := range map[string][2]string{
		"A": {"harbour", "android"}, "B": {"harbour", "android"}, "I": {"harbour", "ios"}, "Z": {"zoo", "android"},
	} {
		must(t, env.Store.AddInstallation(t.Context(), store.Installation{
			ClientID: id, RegistrationID: "r-" + id, Application: place[0], Platform: place[1], Version: "1.0", APIVersion: 1,
			DeviceName: "Kim's " + id, CreatedAt: env.Now(), LastSeen: env.Now(),
		}))
		for profile, user := range map[string]string{"PROF01": "u-1", "PROF02": "u-2"} {
			must(t, env.Store.AddProfile(t.Context(), store.Profile{
				ClientID: id, ProfileID: profile, UserID: user, CreatedAt: env.Now(), LastLogin: env.Now(),
			}))
			f.tokens.known[id+"/"+user] = store.AccessToken{
				ClientID: id, Kind: store.DefaultToken, UserID: user, ProfileID: profile, Application: place[0],
			}
		}
		f.tokens.known[id] = store.AccessToken{ClientID: id, Kind: store.ClientToken, Application: place[0]}
	}
	f.server = &device.ServerKeys{Store: env.Store, Keys: env.Keys, Now: env.Now}
	h := &enrollment.Handler{
		Settings: env.Settings, Clients: clients{env}, Tokens: f.tokens,
		Gate:          &appgate.Gate{Installations: env.Store, Audit: env.Recorder},
		Installations: env.Store, Enrollments: env.Store, PushTokens: env.Store, Pending: env.Redis,
		Lifecycle: &lifecycle.Service{
			Installations: env.Store, Enrollments: env.Store, Tokens: noTokens{}, Transactions: env.Redis, Endings: endings{env},
		},
		ServerKeys: f.server,
		Devices:    &device.Verifier{Once: env.Redis, Issuer: env.Issuer, Now: env.Now},
		Keys:       env.Keys, Audit: env.Recorder, Now: env.Now, NewID: env.NewID,
	}
	f.handler = env.Handler(h.Routes)
	return f
}

// set replaces the settings: versions 1.0 and 1.1 of harbour on android and ios, 1.0 of zoo, all enabled.
func (f *fixture) set(change ...func(*settings.Document)) {
	version := func(platform, name string) settings.AppVersion {
		return settings.AppVersion{Platform: platform, Version: name, IntegrityLevel: settings.IntegrityNone}
	}
	d := settings.Document{Applications: []settings.Application{
		{ID: "harbour", DevelopmentMode: true, Versions: []settings.AppVersion{
			version("android", "1.0"), version("android", "1.1"), version("ios", "1.0"),
		}},
		{ID: "zoo", Versions: []settings.AppVersion{version("android", "1.0")}},
	}}
	for _, f := range change {
		f(&d)
	}
	f.Settings.Set(d)
}

func off() *bool { return new(bool) }

func mode(m settings.PushMode) func(*settings.Document) {
	return func(d *settings.Document) { d.MobileAuthentication.PushEnrollmentMode = m }
}

// tokens knows access tokens by their text.
type tokens struct {
	known map[string]store.AccessToken
	fails map[string]error
}

func (k *tokens) Verify(_ context.Context, bearer string) (store.AccessToken, error) {
	if err := k.fails[bearer]; err != nil {
		return store.AccessToken{}, err
	}
	t, ok := k.known[bearer]
	if !ok {
		return store.AccessToken{}, store.ErrNotFound
	}
	return t, nil
}

// clients takes Basic credentials with the password "right", and the client id as an assertion.
type clients struct{ env *audittest.Env }

func (k clients) Authenticate(ctx context.Context, _ *settings.Snapshot, c clientauth.Credentials) (clientauth.Client, error) {
	if c.Assertion != "" && !c.Basic {
		c.Basic, c.BasicID, c.BasicSecret = true, c.Assertion, "right"
	}
	if !c.Basic {
		return clientauth.Client{}, &clientauth.Refused{Reason: clientauth.Missing}
	}
	if c.BasicID == "web" {
		return clientauth.Client{ID: "web", Web: &settings.WebClient{ID: "web"}}, nil
	}
	i, err := k.env.Store.Installation(ctx, c.BasicID)
	if err != nil || c.BasicSecret != "right" {
		return clientauth.Client{}, &clientauth.Refused{Reason: clientauth.WrongSecret, ClientID: c.BasicID, Known: err == nil}
	}
	return clientauth.Client{ID: i.ClientID, Installation: &i}, nil
}

// endings fails transactions as package pushauth does, without callbacks.
type endings struct{ env *audittest.Env }

func (k endings) Fail(ctx context.Context, t store.Transaction, reason store.Reason) error {
	store.AfterCommit(ctx, func(ctx context.Context) {
		_ = k.env.Redis.MoveTransaction(ctx, t.ID, []store.State{store.Pending}, store.Failed, store.TransactionChange{})
	})
	return k.env.Store.DecideTransaction(ctx, store.TransactionOutcome{
		TransactionID: t.ID, State: store.Failed, Reason: reason, DecidedAt: k.env.Now(), ExpiresAt: t.ExpiresAt,
	})
}

// noTokens revokes nothing: enrollment removes app instances, never users.
type noTokens struct{}

func (noTokens) RevokeProfile(context.Context, string, string) (int, error) { return 0, nil }
func (noTokens) RevokeClient(context.Context, string) (int, error)          { return 0, nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// phone is the device's side of one enrollment.
type phone struct {
	sign, encrypt *ecdsa.PrivateKey
	clientID      string
	profileID     string
	id            string
	challenge     string
	kids          []string
}

func newPhone(t testing.TB, clientID, profileID string) *phone {
	t.Helper()
	sign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	encrypt, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return &phone{sign: sign, encrypt: encrypt, clientID: clientID, profileID: profileID}
}

func jwk(t testing.TB, key *ecdsa.PrivateKey, use string) map[string]any {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	must(t, err)
	b := base64.RawURLEncoding
	return map[string]any{
		"kty": "EC", "crv": "P-256", "use": use, "x": b.EncodeToString(point[1:33]), "y": b.EncodeToString(point[33:]),
	}
}

func public(t testing.TB, key *ecdsa.PrivateKey, use string) device.PublicKey {
	t.Helper()
	text, err := json.Marshal(jwk(t, key, use))
	must(t, err)
	parsed, err := device.ParsePublicKey(text)
	must(t, err)
	return parsed
}

// jws signs claims; nil values are left out.
func jws(t testing.TB, key *ecdsa.PrivateKey, now time.Time, header, claims map[string]any) string {
	t.Helper()
	all := jwt.MapClaims{"aud": audittest.Issuer, "iat": now.Unix(), "jti": uuid.NewString()}
	for name, value := range claims {
		all[name] = value
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, all)
	token.Header["typ"] = "ma-enroll+jwt"
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	must(t, err)
	return text
}

// initBody is the right body of the first step, after the changes to its proof's claims and to itself.
func (f *fixture) initBody(t testing.TB, p *phone, pushToken string, change ...map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"step": "init", "client_id": p.clientID, "profile_id": p.profileID,
		"keys_hash": device.KeysHash(public(t, p.sign, "sig"), public(t, p.encrypt, "enc")),
	}
	body := map[string]any{
		"keys":         []any{jwk(t, p.sign, "sig"), jwk(t, p.encrypt, "enc")},
		"access_token": p.clientID + "/u-" + p.profileID[5:],
	}
	if pushToken != "" {
		body["push_token"] = pushToken
	}
	for i, values := range change {
		for name, value := range values {
			switch {
			case i == 0:
				claims[name] = value
			case value == nil:
				delete(body, name)
			default:
				body[name] = value
			}
		}
	}
	if _, given := body["proof"]; !given {
		body["proof"] = jws(t, p.sign, f.Now(), map[string]any{"jwk": jwk(t, p.sign, "sig")}, claims)
	}
	text, err := json.Marshal(body)
	must(t, err)
	return string(text)
}

const (
	initPath = "/oauth/mobile-auth/v1/enrollments"
	keyPath  = initPath + "/key"
	ackPath  = initPath + "/acknowledge"
	pushPath = "/oauth/mobile-auth/v1/push-token"
)

func (f *fixture) begin(t testing.TB, p *phone, pushToken string) audittest.Answer {
	t.Helper()
	got := audittest.Do(t, f.handler, audittest.Request{
		Path: initPath, JSON: f.initBody(t, p, pushToken), Basic: []string{p.clientID, "right"},
	})
	var body struct {
		ID        string `json:"enrollment_id"`
		Challenge string `json:"challenge"`
	}
	if got.Status == http.StatusCreated {
		must(t, json.Unmarshal([]byte(got.Body), &body))
		p.id, p.challenge = body.ID, body.Challenge
	}
	return got
}

// stepBody is the body of a later step, after changes to the proof's claims.
func (f *fixture) stepBody(t testing.TB, p *phone, step string, change map[string]any) string {
	t.Helper()
	claims := map[string]any{"step": step, "enrollment_id": p.id, "challenge": p.challenge}
	if step == "ack" {
		claims["server_kids"] = p.kids
	}
	for name, value := range change {
		claims[name] = value
	}
	text, err := json.Marshal(map[string]string{
		"enrollment_id": p.id, "proof": jws(t, p.sign, f.Now(), map[string]any{"kid": p.id}, claims),
	})
	must(t, err)
	return string(text)
}

func (f *fixture) fetchKeys(t testing.TB, p *phone) audittest.Answer {
	t.Helper()
	got := audittest.Do(t, f.handler, audittest.Request{Path: keyPath, JSON: f.stepBody(t, p, "key", nil)})
	if got.Status == http.StatusOK {
		p.keep(t, got.Body)
	}
	return got
}

// keep takes over what the key step answered.
func (p *phone) keep(t testing.TB, text string) {
	t.Helper()
	var body struct {
		Keys []struct {
			KID string `json:"kid"`
		} `json:"keys"`
		Challenge string `json:"challenge"`
	}
	must(t, json.Unmarshal([]byte(text), &body))
	p.challenge, p.kids = body.Challenge, nil
	for _, key := range body.Keys {
		p.kids = append(p.kids, key.KID)
	}
}

func (f *fixture) acknowledge(t testing.TB, p *phone) audittest.Answer {
	t.Helper()
	return audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: f.stepBody(t, p, "ack", nil)})
}

// enroll goes all three steps, and forgets the events.
func (f *fixture) enroll(t testing.TB, clientID, profileID, pushToken string) *phone {
	t.Helper()
	p := newPhone(t, clientID, profileID)
	for _, got := range []audittest.Answer{f.begin(t, p, pushToken), f.fetchKeys(t, p), f.acknowledge(t, p)} {
		if got.Status >= http.StatusBadRequest {
			t.Fatalf("enroll: %d %s", got.Status, got.Body)
		}
	}
	f.Codes(t)
	return p
}

// enrolled lists "client/profile push-state" of what is active.
func (f *fixture) enrolled(t testing.TB) []string {
	t.Helper()
	list := []string{}
	for _, user := range []string{"u-1", "u-2"} {
		found, err := f.Store.EnrollmentsOfUser(t.Context(), user)
		must(t, err)
		for _, e := range found {
			list = append(list, e.ClientID+"/"+e.ProfileID+" "+string(e.PushState))
		}
	}
	slices.Sort(list)
	return list
}

func (f *fixture) check(t testing.TB, got audittest.Answer, status int, body string, codes ...audit.Code) {
	t.Helper()
	if got.Status != status || body != "*" && got.Body != body {
		t.Errorf("got %d %s\nwant %d %s", got.Status, got.Body, status, body)
	}
	if stored := f.Codes(t); !slices.Equal(stored, codes) && len(stored)+len(codes) > 0 {
		t.Errorf("codes %v\nwant  %v", stored, codes)
	}
}

// push returns a well-formed push token of a platform, different for each n.
func push(platform string, n int) string {
	if platform == "ios" {
		return strings.Repeat("ab", 31) + string(rune('a'+n)) + "0"
	}
	return "fcm:" + strings.Repeat("x", 20) + string(rune('a'+n))
}

func refusal(word, text string) string {
	return `{"error":"` + word + `","error_description":"` + text + `"}`
}
