package pushauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	protocol "tokenserver/internal/device"
	"tokenserver/internal/lifecycle"
	"tokenserver/internal/settings"
	"tokenserver/internal/testenv"
	"tokenserver/internal/token"
	"tokenserver/phone"
	"tokenserver/pushauth"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// deviceBench is the app's side on real stores and real tokens: user u-1 on an Android phone as QW4RTY, user u-2 on the
// same phone as OTHER1, and u-1 on an iPhone. All are enrolled and have a refresh token.
type deviceBench struct {
	*audittest.Env
	http      http.Handler
	device    *pushauth.Device
	tokens    *token.Service
	lifecycle *lifecycle.Service
	server    *protocol.ServerKeys
	serverEnc jose.JSONWebKey
	kim       *testDevice
	other     *testDevice
	tablet    *testDevice
}

// testDevice is the keys of one app instance.
type testDevice struct {
	id, clientID, profileID string
	sign, decrypt           *phone.Key
	refresh                 string // what the right PIN unmasks
}

func newDeviceBench(t *testing.T, change ...func(*settings.Document)) *deviceBench {
	t.Helper()
	return newDeviceBenchOn(t, audittest.New(t), change...)
}

// newPostgresBench is a bench on PostgreSQL, where transactions really run side by side. Its events cannot be read back.
func newPostgresBench(t *testing.T) *deviceBench {
	t.Helper()
	env := audittest.New(t)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: testenv.Postgres(t)}, env.Log, env.Now)
	if err != nil {
		t.Fatal(err)
	}
	_ = env.Store.Close() // the environment closes what stands in its place
	env.Store, env.Shell.Commit = s, s.CommitEvents
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newDeviceBenchOn(t, env)
}

func newDeviceBenchOn(t *testing.T, env *audittest.Env, change ...func(*settings.Document)) *deviceBench {
	t.Helper()
	b := &deviceBench{Env: env}
	b.set(change...)
	b.tokens = &token.Service{
		Access: b.Redis, Families: b.Store, Search: b.Store, Profiles: b.Store, Installations: b.Store,
		Revocations: &token.Revocations{Store: b.Store, Hints: b.Redis, Now: b.Now}, Keys: b.Keys, Issuer: b.Issuer,
		Now: b.Now, NewID: b.NewID,
	}
	b.ok(t, b.tokens.Revocations.Load(t.Context()))
	b.server = &protocol.ServerKeys{Store: b.Store, Keys: b.Keys, Now: b.Now}
	pair, err := b.server.Shared(t.Context())
	b.ok(t, err)
	public, err := b.server.Public(pair)
	b.ok(t, err)
	b.ok(t, json.Unmarshal(public[0].JWK(), &b.serverEnc))
	for _, i := range []store.Installation{
		{ClientID: pixel, RegistrationID: "1", Platform: "android", Version: "1.0"},
		{ClientID: iphone, RegistrationID: "2", Platform: "ios", Version: "2.0"},
	} {
		i.Application, i.APIVersion, i.CreatedAt = "harbour", 1, b.Now()
		b.ok(t, b.Store.AddInstallation(t.Context(), i))
	}
	for _, id := range []string{"u-1", "u-2"} {
		b.ok(t, b.Store.PutAccount(t.Context(), store.Account{ID: id, Username: id, CreatedAt: b.Now(), UpdatedAt: b.Now()}))
	}
	b.kim = b.enroll(t, pixel, "QW4RTY", "u-1", pair)
	b.other = b.enroll(t, pixel, "OTHER1", "u-2", pair)
	b.tablet = b.enroll(t, iphone, "QW4RTY", "u-1", pair)

	ends := &pushauth.Endings{
		Decisions: b.Store, Transactions: b.Redis, Log: b.Log, Now: b.Now, NewID: b.NewID, Wake: func(string) {},
	}
	b.lifecycle = &lifecycle.Service{
		Installations: b.Store, Enrollments: b.Store, Tokens: b.tokens, Transactions: b.Redis, Endings: ends,
	}
	b.device = &pushauth.Device{
		Settings: b.Settings, Tokens: b.tokens, PINs: b.tokens, Gate: &appgate.Gate{Installations: b.Store, Audit: b.Recorder},
		Installations: b.Store, Enrollments: b.Store, Transactions: b.Redis, Outcomes: b.Store, Endings: ends,
		Lifecycle: b.lifecycle, ServerKeys: b.server,
		Devices: &protocol.Verifier{Once: b.Redis, Issuer: b.Issuer, Now: b.Now},
		Audit:   b.Recorder, Keys: b.Keys, Now: b.Now,
	}
	b.http = b.Handler(b.device.Routes)
	return b
}

// set replaces the settings: application harbour with three PIN failures.
func (b *deviceBench) set(change ...func(*settings.Document)) {
	doc := settings.Document{Applications: []settings.Application{{
		ID: "harbour", DevelopmentMode: true,
		Versions: []settings.AppVersion{
			{Platform: "android", Version: "1.0"}, {Platform: "android", Version: "1.1"}, {Platform: "ios", Version: "2.0"},
		},
	}}}
	for _, f := range change {
		f(&doc)
	}
	b.Settings.Set(doc)
}

func featureOff(d *settings.Document) { d.Features.MobileAuthentication = new(bool) }

func versionOff(d *settings.Document) {
	d.Applications[0].Versions[0].Status = settings.VersionDisabled
}

func (b *deviceBench) ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *deviceBench) enroll(t *testing.T, clientID, profileID, userID string, pair []store.ServerKey) *testDevice {
	t.Helper()
	b.ok(t, b.Store.AddProfile(t.Context(), store.Profile{ClientID: clientID, ProfileID: profileID, UserID: userID, CreatedAt: b.Now()}))
	d := &testDevice{id: uuid.NewString(), clientID: clientID, profileID: profileID}
	var err error
	if d.sign, err = phone.NewKey(); err == nil {
		d.decrypt, err = phone.NewKey()
	}
	b.ok(t, err)
	sign, err := d.sign.JWK("sig").MarshalJSON()
	b.ok(t, err)
	encrypt, err := d.decrypt.JWK("enc").MarshalJSON()
	b.ok(t, err)
	b.ok(t, b.Store.AddEnrollment(t.Context(), store.Enrollment{
		ID: d.id, ClientID: clientID, UserID: userID, ProfileID: profileID, Application: "harbour", Platform: "android",
		SigningKey: sign, EncryptionKey: encrypt, ServerEncKID: pair[0].KID, ServerSigKID: pair[1].KID,
		PushState: store.PushNone, CreatedAt: b.Now(), UpdatedAt: b.Now(),
	}))
	d.refresh = b.issue(t, d, userID)
	return d
}

// issue gives a device a new refresh token.
func (b *deviceBench) issue(t *testing.T, d *testDevice, userID string) string {
	t.Helper()
	var issued token.Issued
	b.ok(t, b.Store.InTx(b.Context(t), func(ctx context.Context) error {
		var err error
		issued, err = b.tokens.Issue(ctx, token.Grant{
			ClientID: d.clientID, ProfileID: d.profileID, UserID: userID, Kind: store.DefaultToken, AccessLife: time.Hour, Refresh: true,
		})
		return err
	}))
	return issued.RefreshToken
}

// open puts a pushed transaction for a device into Redis.
func (b *deviceBench) open(t *testing.T, d *testDevice, change ...func(*store.Transaction)) store.Transaction {
	t.Helper()
	tx := store.Transaction{
		ID: uuid.NewString(), State: store.Pending, Version: 1, Type: "login", Method: store.Push, UserID: "u-1",
		ProfileID: d.profileID, ClientID: d.clientID, Application: "harbour", Platform: "android", EnrollmentID: d.id,
		APIClient: "portal", APIVersion: 4, AnswerVersion: 1, CallbackURI: callback, Message: "Sign in?",
		CreatedAt: b.Now(), ExpiresAt: b.Now().Add(5 * time.Minute),
	}
	if d == b.other {
		tx.UserID = "u-2"
	}
	for _, f := range change {
		f(&tx)
	}
	_, err := b.Redis.CreateTransaction(t.Context(), tx, 100)
	b.ok(t, err)
	return tx
}

func withPIN(tx *store.Transaction) { tx.Method = store.PushWithPIN }

const signingData = `{"amount":"125.00"}`

// signing makes a transaction one with transaction signing.
func (b *deviceBench) signing(tx *store.Transaction) {
	tx.AnswerVersion = 2
	tx.SigningData = string(b.Keys.Seal([]byte(signingData), "tx/"+tx.ID+"/signing_data"))
}

// common are the claims of every JWS of a device.
func (b *deviceBench) common() phone.Claims {
	return phone.Claims{"aud": b.Issuer, "iat": b.Now().Unix(), "jti": uuid.NewString()}
}

// proof signs a fetch proof, after changes to its claims.
func (b *deviceBench) proof(t *testing.T, d *testDevice, tx store.Transaction, change phone.Claims) string {
	t.Helper()
	claims := b.common()
	claims["transaction_id"], claims["user"] = tx.ID, d.profileID
	for name, value := range change {
		claims[name] = value
	}
	text, err := d.sign.Sign(phone.Claims{"typ": phone.TypeFetch, "kid": d.id}, claims)
	b.ok(t, err)
	return text
}

func (b *deviceBench) post(t *testing.T, path string, body any, header ...http.Header) audittest.Answer {
	t.Helper()
	text, err := json.Marshal(body)
	b.ok(t, err)
	r := audittest.Request{Path: "/oauth/mobile-auth/" + path, JSON: string(text)}
	if len(header) > 0 {
		r.Header = header[0]
	}
	return audittest.Do(t, b.http, r)
}

func (b *deviceBench) fetch(t *testing.T, proof string) audittest.Answer {
	t.Helper()
	return b.post(t, "v1/transactions/fetch", map[string]string{"proof": proof})
}

// fetched fetches a transaction and returns its challenge; the events are forgotten.
func (b *deviceBench) fetched(t *testing.T, d *testDevice, tx store.Transaction) string {
	t.Helper()
	got := b.fetch(t, b.proof(t, d, tx, nil))
	if got.Status != http.StatusOK {
		t.Fatalf("fetch: %d %s", got.Status, got.Body)
	}
	b.Codes(t)
	return b.opened(t, d, got.Body)["challenge"].(string)
}

// opened decrypts a fetched message and returns its claims.
func (b *deviceBench) opened(t *testing.T, d *testDevice, body string) map[string]any {
	t.Helper()
	var reply map[string]string
	b.ok(t, json.Unmarshal([]byte(body), &reply))
	signed, err := phone.Decrypt(d.decrypt, reply["message"])
	b.ok(t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(signed, ".")[1])
	b.ok(t, err)
	var claims map[string]any
	b.ok(t, json.Unmarshal(payload, &claims))
	return claims
}

// reply is how a device answers; the zero value accepts a plain push.
type reply struct {
	deny    bool
	method  string // "" = push
	refresh string
	sign    *phone.Key // of the transaction signature; nil = none
	plain   bool       // not encrypted although it carries a token
	claims  phone.Claims
	header  phone.Claims
	key     *phone.Key // that signs; nil = the device's
}

// jws signs an answer and encrypts it when it carries a token.
func (b *deviceBench) jws(t *testing.T, d *testDevice, tx store.Transaction, challenge string, r reply) string {
	t.Helper()
	claims := b.common()
	claims["transaction_id"], claims["user"], claims["challenge"], claims["response"] = tx.ID, d.profileID, challenge, "deny"
	if !r.deny {
		claims["response"], claims["method"] = "accept", "push"
		if r.refresh != "" {
			claims["refresh_token"], claims["method"] = r.refresh, "push_with_pin"
		}
		if r.method != "" {
			claims["method"] = r.method
		}
		if r.sign != nil {
			signature, err := phone.SignTransaction(r.sign, tx.ID, signingData)
			b.ok(t, err)
			claims["signature"] = signature
		}
	}
	for name, value := range r.claims {
		claims[name] = value
	}
	header := phone.Claims{"typ": phone.TypeAnswer, "kid": d.id}
	for name, value := range r.header {
		header[name] = value
	}
	key := d.sign
	if r.key != nil {
		key = r.key
	}
	text, err := key.Sign(header, claims)
	b.ok(t, err)
	if claims["refresh_token"] != nil && !r.plain {
		text, err = phone.Encrypt(b.serverEnc, text)
		b.ok(t, err)
	}
	return text
}

func (b *deviceBench) send(t *testing.T, tx store.Transaction, text string, header ...http.Header) audittest.Answer {
	t.Helper()
	path := "v1/transactions/answer"
	if tx.AnswerVersion == 2 {
		path = "v2/transactions/answer"
	}
	return b.post(t, path, map[string]string{"transaction_id": tx.ID, "answer": text}, header...)
}

// want compares an answer, and the codes of the events that it left.
func (b *deviceBench) want(t *testing.T, got audittest.Answer, status int, body string, codes ...audit.Code) []audittest.Event {
	t.Helper()
	events := b.Events(t)
	stored := []audit.Code{}
	for _, e := range events {
		stored = append(stored, e.Code)
	}
	if got.Status != status || body != "*" && got.Body != body || !slices.Equal(stored, append([]audit.Code{}, codes...)) {
		t.Fatalf("got %d %s %v\nwant %d %s %v", got.Status, got.Body, stored, status, body, codes)
	}
	return events
}

// outcome returns the decision about a transaction, the state in Redis, and the number of callbacks that wait.
func (b *deviceBench) outcome(t *testing.T, tx store.Transaction) (store.TransactionOutcome, store.State) {
	t.Helper()
	o, err := b.Store.TransactionOutcome(t.Context(), tx.ID)
	if err != nil && !strings.Contains(err.Error(), store.ErrNotFound.Error()) {
		t.Fatal(err)
	}
	now, err := b.Redis.Transaction(t.Context(), tx.ID)
	b.ok(t, err)
	return o, now.State
}

// callbacks returns how many callbacks wait.
func (b *deviceBench) callbacks(t *testing.T) int {
	t.Helper()
	waiting, _, err := b.Store.CountJobs(t.Context())
	b.ok(t, err)
	return int(waiting)
}

func body(word, text string) string {
	return `{"error":"` + word + `","error_description":"` + text + `"}`
}
