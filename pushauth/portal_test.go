package pushauth_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/jobs"
	"tokenserver/internal/outbound"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/pushauth"
	"tokenserver/store"
)

// What the bench is set up with.
const (
	pixel  = "AAAA000000000000000000000000000000000000000000000000000000000001" // android, users u-1 and u-2
	iphone = "BBBB000000000000000000000000000000000000000000000000000000000002" // ios, user u-1

	pixelToken  = "dQ3wZ5aTRk:APA91b-pixel"
	iphoneToken = "abababababababababababababababababababababababababababababababab"

	pixelEnrollment  = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
	iphoneEnrollment = "5c1d7f1f-7f7c-4b66-8d54-1e7b6b208f32"

	project  = "harbour-1234"
	topic    = "com.example.harbour"
	callback = "https://portal.example.org/ma/cb"
)

// portalBench is a portal API over real stores, with the push services and the portal's own server as stand-ins.
type portalBench struct {
	*audittest.Env
	http http.Handler
	doc  settings.Document
	*vendors
	receiver *standin.Portal
	live     liveTokens
	portal   *pushauth.Portal
	runner   *jobs.Runner
}

// liveTokens says which profiles have a refresh token of the kind DEFAULT, by "client/profile".
type liveTokens map[string]bool

// vendors are the stand-ins of the push services with a key at each. Making a key takes longer than a test's row, so
// the rows of one test share them; what they know about devices is renewed for each bench.
type vendors struct {
	apns        *standin.APNs
	fcm         *standin.FCM
	p8, account []byte
}

func startVendors(t *testing.T) *vendors {
	t.Helper()
	v := &vendors{}
	var err error
	if v.apns, err = standin.StartAPNs(time.Now); err != nil { // the library signs with the time of the system
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.apns.Close() })
	if v.fcm, err = standin.StartFCM(time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.fcm.Close() })
	if v.p8, err = v.apns.NewKey("TEAM123456", "KEY1234567"); err != nil {
		t.Fatal(err)
	}
	if v.account, err = v.fcm.NewServiceAccount(project); err != nil {
		t.Fatal(err)
	}
	return v
}

func newPortalBench(t *testing.T) *portalBench {
	t.Helper()
	return newPortalBenchWith(t, startVendors(t))
}

func newPortalBenchWith(t *testing.T, v *vendors) *portalBench {
	t.Helper()
	b := &portalBench{Env: audittest.New(t), vendors: v, live: liveTokens{pixel + "/QW4RTY": true}}
	b.apns.AddDevice(iphoneToken, topic)
	b.fcm.AddDevice(pixelToken, project)
	b.apns.FailNext(0, 0, "")
	b.fcm.FailNext(0, 0, "")
	var err error
	if b.receiver, err = standin.StartPortal(b.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.receiver.Close() })
	b.doc = b.document()
	b.Settings.Set(b.doc)
	b.enroll(t, pixel, "android", "1.0", "u-1", "QW4RTY", pixelEnrollment, pixelToken, "Kim's Pixel")
	b.enroll(t, iphone, "ios", "2.0", "u-1", "IPHONE", iphoneEnrollment, iphoneToken, "Kim's iPhone")

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.apns.CAPEM())
	var runner *jobs.Runner
	b.portal = &pushauth.Portal{
		Settings: b.Settings, Enrollments: b.Store, Tokens: b.live, Transactions: b.Redis, Outcomes: b.Store,
		Endings: &pushauth.Endings{
			Decisions: b.Store, Transactions: b.Redis, Log: b.Log, Now: b.Now, NewID: b.NewID,
			Wake: func(kind string) { runner.Wake(kind) },
		},
		Push: pushauth.NewPusher(pushauth.PusherConfig{
			APNsProduction: b.apns.URL(), APNsDevelopment: "https://127.0.0.1:1", APNsRoots: roots,
			FCMEndpoint: b.fcm.Endpoint(), AllowPrivate: outbound.Loopback(), Wait: noWait,
		}, b.Keys, b.Log, b.Now),
		Limits: pushauth.DefaultLimits(), Audit: b.Recorder, Keys: b.Keys, Log: b.Log, Now: b.Now, NewID: b.NewID,
	}
	calls := &pushauth.Callbacks{Settings: b.Settings, Timeout: 5 * time.Second, Audit: b.Recorder, Now: b.Now}
	calls.Configured, calls.Strict = pushauth.NewCallbackClients(5*time.Second, nil, nil)
	runner = jobs.New(jobs.Config{
		Queue: b.Store, Kinds: []jobs.Kind{calls.Kind()}, Log: b.Log, Now: b.Now, Instance: "test", Poll: time.Hour,
	})
	b.runner = runner
	b.http = b.Handler(func(g *echo.Group) {
		g.Use(b.letIn)
		b.portal.Routes(g)
	})
	return b
}

func (b *portalBench) document() settings.Document {
	return settings.Document{
		PushConfigurations: []settings.PushConfiguration{
			{ID: "apple", Platform: "ios", TeamID: "TEAM123456", KeyID: "KEY1234567", SigningKey: settings.NewSecret(string(b.p8))},
			{ID: "google", Platform: "android", ServiceAccount: settings.NewSecret(string(b.account))},
		},
		Applications: []settings.Application{{
			ID: "harbour", Name: "Harbour Bank",
			Versions: []settings.AppVersion{
				{Platform: "android", Version: "1.0", PushConfiguration: "google"},
				{Platform: "ios", Version: "2.0", PushConfiguration: "apple", BundleIdentifier: topic, SendBadgeNumber: true},
			},
		}},
		AuthenticationTypes: []settings.AuthenticationType{
			{Name: "login", Method: "PUSH", ExpiresIn: 120, MaxResends: 1, DefaultMessages: map[string]string{"en": "Sign in?", "nl": "Inloggen?"}},
			{Name: "pay_pin", Method: "PUSH_WITH_PIN", ExpiresIn: 300, TransactionSigning: true},
			{Name: "pay_voice", Method: "PUSH_WITH_CUSTOM_AUTHENTICATOR", ExpiresIn: 300},
		},
		Callbacks: []settings.Callback{
			{URL: callback},
			{
				URL: b.receiver.CallbackURL(), Username: "server", Password: settings.NewSecret("pass word"),
				SigningSecret: settings.NewSecret(b.receiver.Secret()),
			},
		},
	}
}

// change sets other settings.
func (b *portalBench) change(f func(*settings.Document)) {
	d := b.doc
	d.Applications = slices.Clone(d.Applications)
	for i := range d.Applications {
		d.Applications[i].Versions = slices.Clone(d.Applications[i].Versions)
	}
	d.AuthenticationTypes = slices.Clone(d.AuthenticationTypes)
	d.PushConfigurations = slices.Clone(d.PushConfigurations)
	f(&d)
	b.Settings.Set(d)
}

// enroll writes an installation with one enrolled user.
func (b *portalBench) enroll(t *testing.T, clientID, platform, version, userID, profileID, id, token, name string) {
	t.Helper()
	now := b.Now()
	steps := []error{
		b.Store.AddInstallation(t.Context(), store.Installation{
			ClientID: clientID, RegistrationID: "r-" + clientID, Application: "harbour", Platform: platform, Version: version,
			APIVersion: 2, KeyID: "k-" + clientID, PublicJWK: []byte("{}"), DeviceName: name, CreatedAt: now, LastSeen: now,
		}),
		b.Store.AddProfile(t.Context(), store.Profile{ClientID: clientID, ProfileID: profileID, UserID: userID, CreatedAt: now}),
	}
	e := store.Enrollment{
		ID: id, ClientID: clientID, UserID: userID, ProfileID: profileID, Application: "harbour", Platform: platform,
		SigningKey: []byte("{}"), PushState: store.PushActive, DeviceName: name, CreatedAt: now, UpdatedAt: now,
	}
	e.PushToken = b.Keys.Seal([]byte(token), e.PushTokenPlace())
	e.PushTokenHash = b.Keys.MAC(secret.ForPushToken, token)
	for _, err := range append(steps, b.Store.AddEnrollment(t.Context(), e)) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// letIn stands for the check of API clients: the user name of the Basic header is the client.
func (b *portalBench) letIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id, _, _ := c.Request().BasicAuth()
		ctx := clientauth.WithAPIClient(c.Request().Context(), &settings.APIClient{ID: id})
		c.SetRequest(c.Request().WithContext(ctx))
		audit.Know(ctx, audit.APIAgent(id))
		b.Recorder.Record(ctx, audit.APIAccessGranted)
		return next(c)
	}
}

// call sends a request of the API client "portal" in version 4.
func (b *portalBench) call(t *testing.T, r audittest.Request) audittest.Answer {
	t.Helper()
	return b.callVersion(t, "v4", r)
}

func (b *portalBench) callVersion(t *testing.T, version string, r audittest.Request) audittest.Answer {
	t.Helper()
	if r.Basic == nil {
		r.Basic = []string{"portal", "x"}
	}
	r.Path = "/oauth/api/" + version + "/authenticate/" + r.Path
	return audittest.Do(t, b.http, r)
}

// loginForm is a good form; pairs change it, an empty value removes a parameter.
func loginForm(pairs ...string) url.Values {
	form := url.Values{
		"type": {"login"}, "user_id": {"u-1"}, "device_id": {pixel}, "callback_uri": {callback}, "message": {"Sign in to Harbour?"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return form
}

// begin starts a transaction and returns it as it stands in Redis. Its codes are read.
func (b *portalBench) begin(t *testing.T, pairs ...string) store.Transaction {
	t.Helper()
	answer := b.call(t, audittest.Request{Path: "user", Form: loginForm(pairs...)})
	if answer.Status != http.StatusOK {
		t.Fatalf("start: %d %s", answer.Status, answer.Body)
	}
	b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthInitialized)
	return b.transaction(t, idIn(t, answer.Body))
}

func (b *portalBench) transaction(t *testing.T, id string) store.Transaction {
	t.Helper()
	tx, err := b.Redis.Transaction(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// idIn returns the transaction_id of an answer.
func idIn(t *testing.T, body string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, `"transaction_id":"`)
	id, _, end := strings.Cut(rest, `"`)
	if !found || !end {
		t.Fatalf("no transaction_id in %s", body)
	}
	return id
}

func (b *portalBench) wantCodes(t *testing.T, want ...audit.Code) {
	t.Helper()
	if got := b.Codes(t); !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v", got, want)
	}
}

// failureBody is the error answer of the portal API.
func failureBody(number, text, word string) string {
	return `{"error_code":"` + number + `","description":"` + text + `","error":"` + word + `","error_description":"` + text + `"}`
}

// noWait does not wait between the tries of a push.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// HasLive implements what the portal API asks of the tokens.
func (l liveTokens) HasLive(_ context.Context, clientID, profileID string, kind store.TokenKind) (bool, error) {
	return kind == store.DefaultToken && l[clientID+"/"+profileID], nil
}
