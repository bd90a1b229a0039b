package enrollment_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
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
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// fixture is an enrollment handler on real stores, clients and tokens, with installations:
//
//	A, B  android, application harbour; user u-1 has profile PROF01 on both, u-2 has PROF02 on both
//	I     ios, application harbour; the same users
//	Z     android, application zoo; the same users
//
// Their secret is "right"; tokens holds the access token of each user by "A/u-1", and that of each installation by "A".
type fixture struct {
	*audittest.Env
	handler http.Handler
	service *token.Service
	tokens  map[string]string
	server  *device.ServerKeys
}

// id is the client id of an installation.
func id(name string) string {
	return strings.ToUpper(hex.EncodeToString([]byte(name))) + strings.Repeat("0", 64-2*len(name))
}

// nameOf undoes id.
func nameOf(clientID string) string {
	text, _ := hex.DecodeString(clientID)
	return strings.TrimRight(string(text), "\x00")
}

func newFixture(t testing.TB, change ...func(*settings.Document)) *fixture {
	t.Helper()
	env := audittest.New(t)
	f := &fixture{Env: env, tokens: map[string]string{}}
	f.set(change...)
	f.service = &token.Service{
		Access: env.Redis, Families: env.Store, Search: env.Store, Profiles: env.Store, Installations: env.Store,
		Revocations: &token.Revocations{Store: env.Store, Hints: env.Redis, Now: env.Now}, Keys: env.Keys, Issuer: env.Issuer,
		Now: env.Now, NewID: env.NewID,
	}
	must(t, f.service.Revocations.Load(t.Context()))
	for name, place := range map[string][2]string{
		"A": {"harbour", "android"}, "B": {"harbour", "android"}, "I": {"harbour", "ios"}, "Z": {"zoo", "android"},
	} {
		f.install(t, name, place[0], place[1])
	}
	f.server = &device.ServerKeys{Store: env.Store, Keys: env.Keys, Now: env.Now}
	h := &enrollment.Handler{
		Settings: env.Settings, Tokens: f.service,
		Clients: &clientauth.Service{
			Installations: env.Store, Once: env.Redis, Keys: env.Keys, Issuer: env.Issuer, Now: env.Now,
			Failures: &ratelimit.Limiter{Counts: env.Redis, Name: "client", Limit: 3, Window: time.Minute, Now: env.Now},
		},
		Gate:          &appgate.Gate{Installations: env.Store, Audit: env.Recorder},
		Installations: env.Store, Enrollments: env.Store, PushTokens: env.Store, Pending: env.Redis,
		Lifecycle: &lifecycle.Service{
			Installations: env.Store, Enrollments: env.Store, Tokens: f.service, Transactions: env.Redis, Endings: endings{env},
		},
		ServerKeys: f.server,
		Devices:    &device.Verifier{Once: env.Redis, Issuer: env.Issuer, Now: env.Now},
		Keys:       env.Keys, Audit: env.Recorder, Now: env.Now, NewID: env.NewID,
	}
	f.handler = env.Handler(h.Routes)
	return f
}

// install adds an installation with both users and their access tokens.
func (f *fixture) install(t testing.TB, name, application, platform string) {
	t.Helper()
	must(t, f.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: id(name), RegistrationID: "r-" + name, Application: application, Platform: platform, Version: "1.0",
		APIVersion: 1, SecretForm: store.SecretPlain, SecretDigest: f.Keys.MAC(secret.ForClientSecret, "right"),
		DeviceName: "Kim's " + name, CreatedAt: f.Now(), LastSeen: f.Now(),
	}))
	for profile, user := range map[string]string{"PROF01": "u-1", "PROF02": "u-2"} {
		must(t, f.Store.AddProfile(t.Context(), store.Profile{
			ClientID: id(name), ProfileID: profile, UserID: user, CreatedAt: f.Now(), LastLogin: f.Now(),
		}))
		f.issue(t, name+"/"+user, token.Grant{ClientID: id(name), Kind: store.DefaultToken, UserID: user, ProfileID: profile})
	}
	f.issue(t, name, token.Grant{ClientID: id(name), Kind: store.ClientToken})
}

// issue makes an access token for an hour, unless the grant says otherwise, and keeps it under a name.
func (f *fixture) issue(t testing.TB, name string, g token.Grant) {
	t.Helper()
	if g.AccessLife == 0 {
		g.AccessLife = time.Hour
	}
	issued, err := f.service.Issue(t.Context(), g)
	must(t, err)
	f.tokens[name] = issued.AccessToken
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
	d.WebClients = []settings.WebClient{{
		ID: "web", Authentication: settings.SecretBasic, Secret: settings.ClientSecret{Digest: f.Keys.MAC(secret.ForClientSecret, "right")},
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// phone is the device's side of one enrollment.
type phone struct {
	sign, encrypt *ecdsa.PrivateKey
	name          string // of the installation
	profileID     string
	id            string
	challenge     string
	kids          []string
}

func newPhone(t testing.TB, name, profileID string) *phone {
	t.Helper()
	sign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	encrypt, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return &phone{sign: sign, encrypt: encrypt, name: name, profileID: profileID}
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
		"step": "init", "client_id": id(p.name), "profile_id": p.profileID,
		"keys_hash": device.KeysHash(public(t, p.sign, "sig"), public(t, p.encrypt, "enc")),
	}
	body := map[string]any{
		"keys":         []any{jwk(t, p.sign, "sig"), jwk(t, p.encrypt, "enc")},
		"access_token": f.tokens[p.name+"/u-"+p.profileID[5:]],
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
		Path: initPath, JSON: f.initBody(t, p, pushToken), Basic: []string{id(p.name), "right"},
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
func (f *fixture) enroll(t testing.TB, name, profileID, pushToken string) *phone {
	t.Helper()
	p := newPhone(t, name, profileID)
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
			list = append(list, nameOf(e.ClientID)+"/"+e.ProfileID+" "+string(e.PushState))
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
