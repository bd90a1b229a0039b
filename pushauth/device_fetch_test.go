package pushauth_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/device"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/phone"
	"tokenserver/store"
)

const (
	notFetchable   = `{"error_code":"1006","description":"Failed to fetch authentication message","error":"invalid_transaction","error_description":"Failed to fetch authentication message"}`
	fetchedAlready = `{"error":"already_fetched","error_description":"the message has been fetched before"}`
	tooLate        = `{"error":"expired","error_description":"the transaction has expired"}`
	featureIsOff   = `{"error":"disabled","error_description":"Mobile authentication is disabled"}`
	versionIsOff   = `{"error":"version_disabled","error_description":"this version of the app is disabled"}`
)

func TestFetch(t *testing.T) {
	state := func(s store.State) func(*store.Transaction) { return func(tx *store.Transaction) { tx.State = s } }
	for _, tc := range []struct {
		name     string
		settings func(*settings.Document)
		tx       func(*store.Transaction)
		claims   phone.Claims
		by       string // "other": another user of the installation
		raw      string
		header   http.Header
		prepare  func(t *testing.T, b *deviceBench, tx store.Transaction)
		status   int
		want     string
		codes    []audit.Code
		reason   string
	}{
		{name: "pushed", status: 200, want: "*", codes: []audit.Code{audit.PushAuthFetchSecuredMessageFetched}},
		{
			name: "faster than the push", tx: state(store.Created), status: 200, want: "*",
			codes: []audit.Code{audit.PushAuthFetchSecuredMessageFetched},
		},
		{name: "another version that needs no proof", header: http.Header{
			"X-App-Identifier": {"harbour"}, "X-App-Platform": {"android"}, "X-App-Version": {"1.1"},
			"X-Sdk-Version": {"1"}, "X-Api-Version": {"1"},
		}, status: 200, want: "*", codes: []audit.Code{audit.MobileClientUpdatedPlatformVersion, audit.PushAuthFetchSecuredMessageFetched}},
		{
			name: "mobile authentication off", settings: featureOff, status: 404, want: featureIsOff,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "disabled",
		},
		{
			name: "version disabled", settings: versionOff, status: 403, want: versionIsOff,
			codes: []audit.Code{audit.ClientValidationVersionDisabled},
		},
		{
			name: "malformed", raw: `{"proof":1}`, status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "body",
		},
		{
			name: "no proof", raw: `{}`, status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "proof_shape",
		},
		{
			name: "unknown transaction", claims: phone.Claims{"transaction_id": "9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c"}, status: 404,
			want: notFetchable, codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "unknown",
		},
		{
			name: "transaction of another enrollment", by: "other", status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "other_enrollment",
		},
		{
			name: "another user in the proof", claims: phone.Claims{"user": "OTHER1"}, status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "other_user",
		},
		{
			name: "proof for another server", claims: phone.Claims{"aud": "https://elsewhere"}, status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "proof_aud",
		},
		{name: "enrollment removed", prepare: func(t *testing.T, b *deviceBench, _ store.Transaction) {
			b.ok(t, b.Store.DeleteEnrollment(t.Context(), b.kim.id))
		}, status: 404, want: notFetchable, codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "proof_kid"},
		{
			name: "finished", tx: state(store.Rejected), status: 404, want: notFetchable,
			codes: []audit.Code{audit.PushAuthFetchFailedInvalidTransaction}, reason: "finished",
		},
		{
			name: "fetched before", prepare: func(t *testing.T, b *deviceBench, tx store.Transaction) { b.fetched(t, b.kim, tx) },
			status: 409, want: fetchedAlready, codes: []audit.Code{audit.PushAuthFetchFailedTransactionAlreadyFetched},
		},
		{
			name: "expired", prepare: func(_ *testing.T, b *deviceBench, _ store.Transaction) { b.Clock.Advance(5 * time.Minute) },
			status: 410, want: tooLate, codes: []audit.Code{audit.PushAuthFetchFailedTransactionExpired},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newDeviceBench(t)
			change := tc.tx
			if change == nil {
				change = func(*store.Transaction) {}
			}
			tx := b.open(t, b.kim, change)
			if tc.prepare != nil {
				tc.prepare(t, b, tx)
			}
			if tc.settings != nil {
				b.set(tc.settings)
			}
			by := b.kim
			if tc.by == "other" {
				by = b.other
			}
			r := audittest.Request{Path: "/oauth/mobile-auth/v1/transactions/fetch", JSON: tc.raw, Header: tc.header}
			if r.JSON == "" {
				r.JSON = `{"proof":"` + b.proof(t, by, tx, tc.claims) + `"}`
			}
			events := b.want(t, audittest.Do(t, b.http, r), tc.status, tc.want, tc.codes...)
			if last := events[len(events)-1]; tc.reason != "" && !strings.Contains(last.Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", last.Details, tc.reason)
			}
		})
	}
}

func TestFetchedMessage(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim, withPIN, b.signing, func(tx *store.Transaction) {
		tx.SecureMessage = string(b.Keys.Seal([]byte("125.00 EUR to J. Doe"), "tx/"+tx.ID+"/secure_message"))
	})
	_, err := b.Store.RaisePINFailures(t.Context(), pixel, "QW4RTY", 3)
	b.ok(t, err)
	got := b.fetch(t, b.proof(t, b.kim, tx, nil))
	events := b.want(t, got, 200, "*", audit.PushAuthFetchSecuredMessageFetched)
	claims := b.opened(t, b.kim, got.Body)
	challenge, _ := claims["challenge"].(string)
	if len(challenge) != 43 {
		t.Errorf("challenge %q", challenge)
	}
	delete(claims, "challenge")
	want := map[string]any{
		"iss": b.Issuer, "aud": b.kim.id, "transaction_id": tx.ID, "user": "QW4RTY", "method": "push_with_pin",
		"iat": float64(b.Now().Unix()), "exp": float64(tx.ExpiresAt.Unix()), "answer_version": 2.0, "message": "Sign in?",
		"secure_message": "125.00 EUR to J. Doe", "signing_data": signingData, "pin_fallback": false,
		"max_attempts": 3.0, "remaining_attempts": 2.0,
	}
	if len(claims) != len(want) {
		t.Errorf("claims %v", claims)
	}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("%s = %v, want %v", name, claims[name], value)
		}
	}
	event := events[0]
	if event.UserID != "u-1" || event.ClientID != pixel || event.ProfileID != "QW4RTY" || event.Agent != "app:"+pixel ||
		!strings.Contains(event.Details, tx.ID) || strings.Contains(event.Details, "125") {
		t.Errorf("event %+v", event)
	}
	stored, err := b.Redis.Transaction(t.Context(), tx.ID)
	b.ok(t, err)
	if stored.State != store.Fetched || stored.Challenge != challenge {
		t.Errorf("state %s, challenge %s", stored.State, stored.Challenge)
	}
}

func TestFetchWithoutLimit(t *testing.T) {
	b := newDeviceBench(t, func(d *settings.Document) { d.Applications[0].MaxPINFailures = new(int) })
	got := b.fetch(t, b.proof(t, b.kim, b.open(t, b.kim), nil))
	claims := b.opened(t, b.kim, got.Body)
	if remaining, there := claims["remaining_attempts"]; !there || remaining != nil || claims["max_attempts"] != 0.0 {
		t.Errorf("claims %v", claims)
	}
	if _, there := claims["signing_data"]; there {
		t.Error("signing data without signing")
	}
}

// The identical proof gets the identical reply for thirty seconds, without an event.
func TestFetchRepeats(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	proof := b.proof(t, b.kim, tx, nil)
	first := b.fetch(t, proof)
	b.want(t, first, 200, "*", audit.PushAuthFetchSecuredMessageFetched)
	b.Clock.Advance(29 * time.Second)
	b.want(t, b.fetch(t, proof), 200, first.Body)
	b.want(t, b.fetch(t, b.proof(t, b.kim, tx, nil)), 409, fetchedAlready, audit.PushAuthFetchFailedTransactionAlreadyFetched)
	b.Clock.Advance(2 * time.Second)
	b.want(t, b.fetch(t, proof), 409, fetchedAlready, audit.PushAuthFetchFailedTransactionAlreadyFetched)
}

// A server that died between Redis and the event leaves a reply that nobody was told of: the repeat tells.
func TestFetchTellsWhatTheFirstAttemptCouldNot(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	proof := b.proof(t, b.kim, tx, nil)
	signed, err := device.ParseSigned(proof)
	b.ok(t, err)
	_, err = b.Redis.FetchTransaction(t.Context(), tx.ID, hex.EncodeToString(signed.Hash()), "c1", "reply")
	b.ok(t, err)
	b.want(t, b.fetch(t, proof), 200, `{"message":"reply"}`, audit.PushAuthFetchSecuredMessageFetched)
	b.want(t, b.fetch(t, proof), 200, `{"message":"reply"}`)
}

func TestParallelFetchesHaveOneWinner(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	var group sync.WaitGroup
	start := make(chan struct{})
	for range 50 {
		proof := b.proof(t, b.kim, tx, nil)
		group.Go(func() {
			<-start
			b.fetch(t, proof)
		})
	}
	close(start)
	group.Wait()
	counts := map[audit.Code]int{}
	for _, code := range b.Codes(t) {
		counts[code]++
	}
	if counts[audit.PushAuthFetchSecuredMessageFetched] != 1 || counts[audit.PushAuthFetchFailedTransactionAlreadyFetched] != 49 {
		t.Errorf("codes %v", counts)
	}
}

func TestFetchWithoutRedis(t *testing.T) {
	b := newDeviceBench(t)
	proof := b.proof(t, b.kim, b.open(t, b.kim), nil)
	b.RedisServer.Close()
	b.want(t, b.fetch(t, proof), 503, body("temporarily_unavailable", "the server cannot work right now, try again shortly"))
}

func TestPending(t *testing.T) {
	b := newDeviceBench(t)
	first := b.open(t, b.kim, func(tx *store.Transaction) { tx.State = store.Created })
	b.Clock.Advance(1500 * time.Millisecond)
	second := b.open(t, b.other)
	b.fetched(t, b.kim, b.open(t, b.kim))
	b.open(t, b.kim, func(tx *store.Transaction) { tx.State = store.Failed })
	b.open(t, b.tablet)
	bearer := func(kind store.TokenKind, client, profile string) string {
		issued, err := b.tokens.Issue(t.Context(), token.Grant{
			ClientID: client, ProfileID: profile, Kind: kind, AccessLife: time.Hour,
		})
		b.ok(t, err)
		return issued.AccessToken
	}
	mine := bearer(store.ClientToken, pixel, "")
	list := func(bearer, text string) audittest.Answer {
		return audittest.Do(t, b.http, audittest.Request{
			Path: "/oauth/mobile-auth/v1/transactions/pending", JSON: text, Bearer: bearer,
		})
	}
	b.want(t, list(mine, `{}`), 200, `{"transactions":[`+
		`{"transaction_id":"`+first.ID+`","profile_id":"QW4RTY","message":"Sign in?","timestamp":1795176000000,"time_to_live":298},`+
		`{"transaction_id":"`+second.ID+`","profile_id":"OTHER1","message":"Sign in?","timestamp":1795176001500,"time_to_live":300}]}`)
	badToken := body("invalid_token", "the access token of the installation is missing or not usable")
	b.want(t, list("", `{}`), 401, badToken)
	b.want(t, list("unknown", `{}`), 401, badToken)
	b.want(t, list(bearer(store.DefaultToken, pixel, "QW4RTY"), `{}`), 401, badToken)
	b.want(t, list(bearer(store.ClientToken, "web", ""), `{}`), 401, badToken)
	b.want(t, list(mine, `{"more":1}`), 400, body("invalid_request", "the body is not an empty object"))
	b.set(versionOff)
	b.want(t, list(mine, `{}`), 403, versionIsOff, audit.ClientValidationVersionDisabled)
	b.set(featureOff)
	b.want(t, list(mine, `{}`), 404, featureIsOff, audit.PushAuthFetchFailedInvalidTransaction)
	b.Clock.Advance(2 * time.Hour)
	b.set()
	b.want(t, list(mine, `{}`), 401, badToken)
	b.want(t, list(bearer(store.ClientToken, pixel, ""), `{}`), 200, `{"transactions":[]}`)
}
