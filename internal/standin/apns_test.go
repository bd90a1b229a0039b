package standin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"

	"tokenserver/internal/standin"
)

const (
	team, keyID = "TEAM123456", "KEY1234567"
	topic       = "com.example.harbour"
)

var goodDevice = strings.Repeat("ab", 32)

// clock is a clock that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) forward(d time.Duration) { c.offset.Add(int64(d)) }

// startAPNs starts the stand-in with one key and one device, and returns an HTTP/2 client that trusts it.
func startAPNs(t *testing.T) (*standin.APNs, *clock, *ecdsa.PrivateKey, *http.Client) {
	t.Helper()
	c := &clock{}
	a, err := standin.StartAPNs(c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	p8, err := a.NewKey(team, keyID)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.AuthKeyFromBytes(p8)
	if err != nil {
		t.Fatal(err)
	}
	a.AddDevice(goodDevice, topic)
	return a, c, key, trusting(t, a)
}

// trusting is how a client is pointed at the stand-in: an HTTP/2 transport whose roots hold its authority.
func trusting(t *testing.T, a *standin.APNs) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.CAPEM()) {
		t.Fatal("no certificate in CAPEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// providerToken signs a provider token.
func providerToken(t *testing.T, key any, method jwt.SigningMethod, kid, iss string, at time.Time) string {
	t.Helper()
	tok := jwt.NewWithClaims(method, jwt.MapClaims{"iss": iss, "iat": at.Unix()})
	tok.Header["kid"] = kid
	text, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAPNsRefusals(t *testing.T) {
	a, c, key, client := startAPNs(t)
	gone := strings.Repeat("cd", 32)
	a.AddDevice(gone, topic)
	a.Unregister(gone)
	other, err := a.NewKey("OTHERTEAM1", "OTHERKEY12")
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := token.AuthKeyFromBytes(other)
	if err != nil {
		t.Fatal(err)
	}
	es256 := jwt.SigningMethodES256
	good := providerToken(t, key, es256, keyID, team, c.now())
	for _, tc := range []struct {
		name    string
		method  string
		path    string
		bearer  string
		header  map[string]string
		payload string
		status  int
		reason  string
	}{
		{name: "accepted", status: 200},
		{name: "wrong path", path: "/2/device/" + goodDevice, status: 404, reason: "BadPath"},
		{name: "wrong method", method: http.MethodPut, status: 405, reason: "MethodNotAllowed"},
		{name: "no device token", path: "/3/device/", status: 400, reason: "MissingDeviceToken"},
		{name: "no provider token", bearer: "-", status: 403, reason: "MissingProviderToken"},
		{name: "provider token garbage", bearer: "x.y.z", status: 403, reason: "InvalidProviderToken"},
		{name: "provider token by another key", bearer: providerToken(t, otherKey, es256, keyID, team, c.now()), status: 403, reason: "InvalidProviderToken"},
		{name: "provider token of another team", bearer: providerToken(t, key, es256, keyID, "OTHERTEAM1", c.now()), status: 403, reason: "InvalidProviderToken"},
		{name: "provider token of an unknown key", bearer: providerToken(t, key, es256, "UNKNOWN123", team, c.now()), status: 403, reason: "InvalidProviderToken"},
		{name: "provider token with HMAC", bearer: providerToken(t, []byte("k"), jwt.SigningMethodHS256, keyID, team, c.now()), status: 403, reason: "InvalidProviderToken"},
		{name: "provider token from tomorrow", bearer: providerToken(t, key, es256, keyID, team, c.now().Add(24*time.Hour)), status: 403, reason: "InvalidProviderToken"},
		{name: "provider token too old", bearer: providerToken(t, key, es256, keyID, team, c.now().Add(-61*time.Minute)), status: 403, reason: "ExpiredProviderToken"},
		{name: "no topic", header: map[string]string{"apns-topic": ""}, status: 400, reason: "MissingTopic"},
		{name: "topic of another app", header: map[string]string{"apns-topic": "com.example.other"}, status: 400, reason: "DeviceTokenNotForTopic"},
		{name: "push type unknown", header: map[string]string{"apns-push-type": "shout"}, status: 400, reason: "InvalidPushType"},
		{name: "priority unknown", header: map[string]string{"apns-priority": "7"}, status: 400, reason: "BadPriority"},
		{name: "background at once", header: map[string]string{"apns-push-type": "background", "apns-priority": "10"}, status: 400, reason: "BadPriority"},
		{name: "expiration is no number", header: map[string]string{"apns-expiration": "soon"}, status: 400, reason: "BadExpirationDate"},
		{name: "collapse id too long", header: map[string]string{"apns-collapse-id": strings.Repeat("x", 65)}, status: 400, reason: "BadCollapseId"},
		{name: "collapse id just fits", header: map[string]string{"apns-collapse-id": strings.Repeat("x", 64)}, status: 200},
		{name: "id is no uuid", header: map[string]string{"apns-id": "7"}, status: 400, reason: "BadMessageId"},
		{name: "no payload", payload: "-", status: 400, reason: "PayloadEmpty"},
		{name: "payload is no dictionary", payload: "[1]", status: 400, reason: "PayloadEmpty"},
		{name: "payload just fits", payload: `{"aps":"` + strings.Repeat("x", 4096-10) + `"}`, status: 200},
		{name: "payload too large", payload: `{"aps":"` + strings.Repeat("x", 4096-9) + `"}`, status: 413, reason: "PayloadTooLarge"},
		{name: "device unknown", path: "/3/device/" + strings.Repeat("ef", 32), status: 400, reason: "BadDeviceToken"},
		{name: "device token malformed", path: "/3/device/nothex", status: 400, reason: "BadDeviceToken"},
		{name: "app removed", path: "/3/device/" + gone, status: 410, reason: "Unregistered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := map[string]string{"apns-topic": topic, "apns-push-type": "alert", "apns-priority": "10"}
			for name, value := range tc.header {
				header[name] = value
			}
			method, path, payload, bearer := tc.method, tc.path, tc.payload, tc.bearer
			if method == "" {
				method = http.MethodPost
			}
			if path == "" {
				path = "/3/device/" + goodDevice
			}
			if payload == "" {
				payload = `{"aps":{"alert":"hello"}}`
			}
			if bearer == "" {
				bearer = good
			}
			request, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, strings.NewReader(strings.TrimPrefix(payload, "-")))
			if err != nil {
				t.Fatal(err)
			}
			if bearer != "-" {
				request.Header.Set("Authorization", "bearer "+bearer)
			}
			for name, value := range header {
				if value != "" {
					request.Header.Set(name, value)
				}
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tc.status || response.Header.Get("Apns-Id") == "" {
				t.Fatalf("status %d, id %q, body %s", response.StatusCode, response.Header.Get("Apns-Id"), body)
			}
			if tc.status == http.StatusOK {
				if len(body) != 0 {
					t.Errorf("body %s", body)
				}
				return
			}
			var answer struct {
				Reason    string `json:"reason"`
				Timestamp int64  `json:"timestamp"`
			}
			if err := json.Unmarshal(body, &answer); err != nil || answer.Reason != tc.reason {
				t.Errorf("body %s, want reason %s", body, tc.reason)
			}
			if (answer.Timestamp != 0) != (tc.status == http.StatusGone) {
				t.Errorf("timestamp %d", answer.Timestamp)
			}
		})
	}
	if got := len(a.Pushes()); got != 3 {
		t.Errorf("%d pushes accepted, want 3", got)
	}
}

func TestAPNsWantsHTTP2(t *testing.T) {
	a, _, _, _ := startAPNs(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.CAPEM())
	old := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
	t.Cleanup(old.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/3/device/"+goodDevice, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: old}).Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Fatalf("HTTP/1.1 was answered with %d", response.StatusCode)
	}
}

func TestAPNsRefusesEarlyRenewal(t *testing.T) {
	a, c, key, client := startAPNs(t)
	send := func(bearer string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/3/device/"+goodDevice, strings.NewReader(`{"aps":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "bearer "+bearer)
		request.Header.Set("Apns-Topic", topic)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	first := providerToken(t, key, jwt.SigningMethodES256, keyID, team, c.now().Add(-time.Minute))
	second := providerToken(t, key, jwt.SigningMethodES256, keyID, team, c.now())
	for i, step := range []struct {
		bearer  string
		forward time.Duration
		want    int
	}{{first, 0, 200}, {second, 0, 429}, {first, 0, 200}, {second, 21 * time.Minute, 200}} {
		c.forward(step.forward)
		if got := send(step.bearer); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
}

// TestAPNsLibrary drives the library that the product uses.
func TestAPNsLibrary(t *testing.T) {
	a, _, key, client := startAPNs(t)
	pushes := a.Subscribe()
	library := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: keyID, TeamID: team})
	library.Host = a.URL()
	library.HTTPClient = client
	expires := time.Now().Add(5 * time.Minute).Truncate(time.Second).UTC()
	note := &apns2.Notification{
		DeviceToken: goodDevice, Topic: topic, CollapseID: "9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c", Expiration: expires,
		Priority: apns2.PriorityHigh, PushType: apns2.PushTypeAlert, Payload: []byte(`{"aps":{"alert":{"body":"hi"}},"og_transaction_id":"9d2f"}`),
	}
	response, err := library.PushWithContext(t.Context(), note)
	if err != nil || !response.Sent() || response.ApnsID == "" {
		t.Fatalf("%+v, %v", response, err)
	}
	got := <-pushes
	if got.Token != goodDevice || got.Topic != topic || got.Priority != "10" || got.PushType != "alert" || got.CollapseID != note.CollapseID ||
		!got.Expiration.Equal(expires) || got.ID != response.ApnsID || string(got.Payload) != `{"aps":{"alert":{"body":"hi"}},"og_transaction_id":"9d2f"}` {
		t.Errorf("push %+v", got)
	}

	for _, planned := range []struct {
		status int
		reason string
	}{{429, apns2.ReasonTooManyRequests}, {500, apns2.ReasonInternalServerError}, {503, apns2.ReasonServiceUnavailable}, {403, apns2.ReasonInvalidProviderToken}} {
		a.FailNext(1, planned.status, planned.reason)
		response, err := library.PushWithContext(t.Context(), note)
		if err != nil || response.StatusCode != planned.status || response.Reason != planned.reason {
			t.Errorf("planned %+v: %+v, %v", planned, response, err)
		}
	}
	a.FailNext(1, 0, "")
	if _, err := library.PushWithContext(t.Context(), note); err == nil {
		t.Error("a cut connection must be an error")
	}
	a.Unregister(goodDevice)
	response, err = library.PushWithContext(t.Context(), note)
	if err != nil || response.StatusCode != http.StatusGone || response.Reason != apns2.ReasonUnregistered || response.Timestamp.IsZero() {
		t.Errorf("removed app: %+v, %v", response, err)
	}
	if n := len(a.Pushes()); n != 1 {
		t.Errorf("%d pushes accepted, want 1", n)
	}
}

func TestAPNsDelayEndsWithTheCaller(t *testing.T) {
	a, _, key, client := startAPNs(t)
	a.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	library := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: keyID, TeamID: team})
	library.Host, library.HTTPClient = a.URL(), client
	_, err := library.PushWithContext(ctx, &apns2.Notification{DeviceToken: goodDevice, Topic: topic, Payload: []byte(`{"aps":{}}`)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	a.Delay(0)
	response, err := library.PushWithContext(t.Context(), &apns2.Notification{DeviceToken: goodDevice, Topic: topic, Payload: []byte(`{"aps":{}}`)})
	if err != nil || !response.Sent() {
		t.Errorf("%+v, %v", response, err)
	}
}
