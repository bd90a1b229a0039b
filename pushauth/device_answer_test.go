package pushauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/phone"
	"tokenserver/store"
)

const (
	noTransaction  = `{"error":"invalid_transaction","error_description":"there is no such transaction to answer"}`
	conflict       = `{"error":"invalid_transaction","error_description":"the transaction has not been fetched, or another answer was faster"}`
	wrongEndpoint  = `{"error":"invalid_endpoint_version","error_description":"this transaction is answered at the other version of this endpoint"}`
	undecryptable  = `{"error":"decryption_failed","error_description":"the answer could not be decrypted"}`
	badSignature   = `{"error":"invalid_token","error_description":"the answer is not signed as it must be"}`
	badClaims      = `{"error":"invalid_token","error_description":"the answer does not fit the transaction"}`
	deniedBody     = `{"result":"denied"}`
	wrongToken     = `{"error":"invalid_refresh_token","error_description":"the refresh token is not right"}`
	reusedToken    = `{"error":"invalid_refresh_token","error_description":"the refresh token is not right","remaining_attempts":0}`
	wrongSignature = `{"error":"invalid_signature","error_description":"the signature over the transaction is not right"}`
)

func authenticatedBody(tx store.Transaction) string {
	return `{"result":"authenticated","transaction_id":"` + tx.ID + `"}`
}

func TestAnswer(t *testing.T) {
	wrong := strings.Repeat("0", 64)
	for _, tc := range []struct {
		name     string
		settings func(*settings.Document)
		pin      bool
		signing  bool
		reply    func(b *deviceBench, r *reply)
		text     func(t *testing.T, b *deviceBench, tx store.Transaction, jws string) string // what is sent instead
		raw      string
		noFetch  bool
		header   http.Header
		swapEnd  bool // sent to the other version of the endpoint
		prepare  func(t *testing.T, b *deviceBench, tx store.Transaction)
		status   int
		want     string // "authenticated" = the body of that; "*" = any
		codes    []audit.Code
		reason   string
		state    store.State // afterwards; "" = FETCHED, and nothing decided
		why      store.Reason
		method   store.Method // of the outcome
		attempts int          // in the outcome
	}{
		{
			name: "accept", status: 200, want: "authenticated", codes: []audit.Code{audit.PushAuthAuthenticated},
			state: store.Authenticated, method: store.Push,
		},
		{
			name: "deny", reply: func(_ *deviceBench, r *reply) { r.deny = true }, status: 200, want: deniedBody,
			codes: []audit.Code{audit.PushAuthNotAuthenticated}, state: store.Rejected, why: store.NotAccepted, method: store.Push,
		},
		{
			name: "accept with PIN", pin: true, status: 200, want: "authenticated", codes: []audit.Code{audit.PushAuthAuthenticated},
			state: store.Authenticated, method: store.PushWithPIN, attempts: 1,
		},
		{
			name: "deny without PIN", pin: true, reply: func(_ *deviceBench, r *reply) { r.deny, r.refresh = true, "" }, status: 200,
			want: deniedBody, codes: []audit.Code{audit.PushAuthNotAuthenticated}, state: store.Rejected,
			why: store.NotAccepted, method: store.PushWithPIN,
		},
		{
			name: "accept with a signature", signing: true, status: 200, want: "authenticated",
			codes: []audit.Code{audit.PushAuthAuthenticated}, state: store.Authenticated, method: store.Push,
		},
		{
			name: "accept with PIN and a signature", pin: true, signing: true, status: 200, want: "authenticated",
			codes: []audit.Code{audit.PushAuthAuthenticated}, state: store.Authenticated, method: store.PushWithPIN, attempts: 1,
		},
		{
			name: "deny without a signature", signing: true, reply: func(_ *deviceBench, r *reply) { r.deny, r.sign = true, nil }, status: 200,
			want: deniedBody, codes: []audit.Code{audit.PushAuthNotAuthenticated}, state: store.Rejected, why: store.NotAccepted, method: store.Push,
		},
		{name: "plain push, encrypted nevertheless", text: func(t *testing.T, b *deviceBench, _ store.Transaction, jws string) string {
			text, err := phone.Encrypt(b.serverEnc, jws)
			b.ok(t, err)
			return text
		}, status: 200, want: "authenticated", codes: []audit.Code{audit.PushAuthAuthenticated}, state: store.Authenticated, method: store.Push},

		{
			name: "mobile authentication off", settings: featureOff, status: 404, want: featureIsOff,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "disabled",
		},
		{
			name: "version disabled", settings: versionOff, status: 403, want: versionIsOff,
			codes: []audit.Code{audit.ClientValidationVersionDisabled},
		},

		{
			name: "malformed", raw: `{"answer":"x","answer":"y"}`, status: 404, want: noTransaction,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "body",
		},
		{
			name: "too large", raw: `{"answer":"` + strings.Repeat("x", 64<<10) + `"}`, status: 413,
			want:  body("invalid_request", "the body is too large"),
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "body",
		},
		{
			name: "another API version than registered", header: http.Header{"X-Api-Version": {"2"}}, status: 403,
			want:  body("api_version_not_allowed", "the installation is registered with another API version"),
			codes: []audit.Code{audit.APIVersionNotAllowed},
		},
		{
			name: "no transaction id", raw: `{"answer":"x"}`, status: 404, want: noTransaction,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "missing_member",
		},
		{
			name: "no id of ours", raw: `{"transaction_id":"\u0000","answer":"x"}`, status: 404, want: noTransaction,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "unknown",
		},
		{
			name: "unknown transaction", raw: `{"transaction_id":"9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c","answer":"x"}`, status: 404,
			want: noTransaction, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "unknown",
		},
		{
			name: "not fetched", noFetch: true, status: 409, want: conflict,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "not_fetched", state: store.Pending,
		},
		{
			name: "expired", prepare: func(_ *testing.T, b *deviceBench, _ store.Transaction) { b.Clock.Advance(5 * time.Minute) },
			status: 410, want: tooLate, codes: []audit.Code{audit.PushAuthNotAuthenticatedTransactionExpired}, state: store.Expired,
		},
		{
			name: "signing transaction at version 1", signing: true, swapEnd: true, status: 400, want: wrongEndpoint,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidEndpointVersion},
		},
		{
			name: "ordinary transaction at version 2", swapEnd: true, status: 400, want: wrongEndpoint,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidEndpointVersion},
		},

		{
			name: "not encrypted", pin: true, reply: func(_ *deviceBench, r *reply) { r.plain = true }, status: 400, want: undecryptable,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedFailedToDecryptMessage}, reason: "not_encrypted",
		},
		{
			name: "encrypted to nobody", text: func(*testing.T, *deviceBench, store.Transaction, string) string { return "a.b.c.d.e" },
			status: 400, want: undecryptable, codes: []audit.Code{audit.PushAuthNotAuthenticatedFailedToDecryptMessage},
		},
		{name: "encrypted to an unknown key", text: func(t *testing.T, b *deviceBench, _ store.Transaction, jws string) string {
			unknown := b.serverEnc
			unknown.KeyID = "retired"
			text, err := phone.Encrypt(unknown, jws)
			b.ok(t, err)
			return text
		}, status: 400, want: undecryptable, codes: []audit.Code{audit.PushAuthNotAuthenticatedFailedToDecryptMessage}},
		{name: "encrypted to another key under our name", text: func(t *testing.T, b *deviceBench, _ store.Transaction, jws string) string {
			stranger, err := phone.NewKey()
			b.ok(t, err)
			text, err := phone.Encrypt(jose.JSONWebKey{Key: &stranger.Private().PublicKey, KeyID: b.serverEnc.KeyID}, jws)
			b.ok(t, err)
			return text
		}, status: 400, want: undecryptable, codes: []audit.Code{audit.PushAuthNotAuthenticatedFailedToDecryptMessage}},
		{name: "encrypted to a server key of others", text: func(t *testing.T, b *deviceBench, _ store.Transaction, jws string) string {
			pair, err := b.server.Make("somebody")
			b.ok(t, err)
			b.ok(t, b.Store.AddServerKey(t.Context(), pair[0]))
			public, err := b.server.Public(pair)
			b.ok(t, err)
			var key jose.JSONWebKey
			b.ok(t, key.UnmarshalJSON(public[0].JWK()))
			text, err := phone.Encrypt(key, jws)
			b.ok(t, err)
			return text
		}, status: 400, want: undecryptable, codes: []audit.Code{audit.PushAuthNotAuthenticatedFailedToDecryptMessage}, reason: "other_key"},

		{
			name: "no JWS", text: func(*testing.T, *deviceBench, store.Transaction, string) string { return "x" }, status: 401, want: badSignature,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_shape",
		},
		{
			name: "another enrollment", reply: func(b *deviceBench, r *reply) { r.header, r.key = phone.Claims{"kid": b.other.id}, b.other.sign },
			status: 401, want: badSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_kid",
		},
		{
			name: "another key", reply: func(b *deviceBench, r *reply) { r.key = b.other.sign }, status: 401, want: badSignature,
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_signature",
		},
		{
			name: "another type", reply: func(_ *deviceBench, r *reply) { r.header = phone.Claims{"typ": phone.TypeFetch} }, status: 401,
			want: badSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_typ",
		},
		{
			name: "another audience", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"aud": "x"} }, status: 401,
			want: badSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_aud",
		},
		{
			name: "too old", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"iat": 1} }, status: 401,
			want: badSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "proof_iat",
		},

		{
			name: "another transaction in the answer", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"transaction_id": "x"} },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "transaction_id",
		},
		{
			name: "another user", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"user": "OTHER1"} },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "user",
		},
		{
			name: "another challenge", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"challenge": "x"} },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "challenge",
		},
		{
			name: "no challenge", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"challenge": ""} },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "challenge",
		},
		{
			name: "neither accept nor deny", reply: func(_ *deviceBench, r *reply) { r.claims = phone.Claims{"response": "yes"} },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "response",
		},
		{
			name: "plain push for a PIN transaction", pin: true, reply: func(_ *deviceBench, r *reply) { r.refresh = "" },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "method",
		},
		{
			name: "PIN for a plain push", reply: func(b *deviceBench, r *reply) { r.refresh = b.kim.refresh },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "method",
		},
		{
			name: "PIN without a token", pin: true, reply: func(_ *deviceBench, r *reply) { r.refresh, r.method = "", "push_with_pin" },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "refresh_token",
		},
		{
			name: "token too long", pin: true, reply: func(_ *deviceBench, r *reply) { r.refresh = strings.Repeat("A", 129) },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "refresh_token",
		},
		{
			name: "no signature", signing: true, reply: func(_ *deviceBench, r *reply) { r.sign = nil },
			status: 400, want: badClaims, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "signature",
		},

		{
			name: "enrollment removed", prepare: func(t *testing.T, b *deviceBench, _ store.Transaction) {
				b.ok(t, b.Store.DeleteEnrollment(t.Context(), b.kim.id))
			}, status: 404, want: noTransaction, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "revoked",
			state: store.Failed, why: store.InvalidRequest,
		},
		{
			name: "installation removed", prepare: func(t *testing.T, b *deviceBench, _ store.Transaction) {
				b.ok(t, b.Store.DeleteInstallation(t.Context(), pixel))
			}, status: 404, want: noTransaction, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidTransaction}, reason: "revoked",
			state: store.Failed, why: store.InvalidRequest,
		},

		{
			name: "signature by another key", signing: true, reply: func(b *deviceBench, r *reply) { r.sign = b.other.sign },
			status: 400, want: wrongSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "transaction_signature",
			state: store.Failed, why: store.InvalidAnswer,
		},
		{
			name: "signature before the PIN", pin: true, signing: true,
			reply:  func(b *deviceBench, r *reply) { r.sign, r.refresh = b.other.sign, wrong },
			status: 400, want: wrongSignature, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidToken}, reason: "transaction_signature",
			state: store.Failed, why: store.InvalidAnswer,
		},

		{
			name: "wrong PIN", pin: true, reply: func(_ *deviceBench, r *reply) { r.refresh = wrong }, status: 400, want: "*",
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidRefreshToken},
		},
		{
			name: "malformed token counts as a wrong PIN", pin: true, reply: func(_ *deviceBench, r *reply) { r.refresh = "x" }, status: 400, want: "*",
			codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidRefreshToken},
		},
		{
			name: "no refresh token", pin: true, prepare: func(t *testing.T, b *deviceBench, _ store.Transaction) {
				b.ok(t, inTx(t, b, func(ctx ctx) error { _, err := b.tokens.RevokeProfile(ctx, pixel, "QW4RTY"); return err }))
			}, status: 400, want: wrongToken, codes: []audit.Code{audit.PushAuthNotAuthenticatedInvalidRefreshToken}, reason: "no_token",
			state: store.Failed, why: store.InvalidRequest, attempts: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newDeviceBench(t)
			var changes []func(*store.Transaction)
			r := reply{}
			if tc.pin {
				changes, r.refresh = append(changes, withPIN), b.kim.refresh
			}
			if tc.signing {
				changes, r.sign = append(changes, b.signing), b.kim.sign
			}
			tx := b.open(t, b.kim, changes...)
			challenge := "none"
			if !tc.noFetch {
				challenge = b.fetched(t, b.kim, tx)
			}
			if tc.prepare != nil {
				tc.prepare(t, b, tx)
				b.Codes(t)
			}
			if tc.settings != nil {
				b.set(tc.settings)
			}
			if tc.reply != nil {
				tc.reply(b, &r)
			}
			text := b.jws(t, b.kim, tx, challenge, r)
			if tc.text != nil {
				text = tc.text(t, b, tx, text)
			}
			target := tx
			if tc.swapEnd {
				target.AnswerVersion = 3 - tx.AnswerVersion
			}
			var got audittest.Answer
			if tc.raw != "" {
				got = audittest.Do(t, b.http, audittest.Request{Path: "/oauth/mobile-auth/v1/transactions/answer", JSON: tc.raw})
			} else {
				got = b.send(t, target, text, tc.header)
			}
			want := tc.want
			if want == "authenticated" {
				want = authenticatedBody(tx)
			}
			events := b.want(t, got, tc.status, want, tc.codes...)
			if last := events[len(events)-1]; tc.reason != "" && !strings.Contains(last.Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", last.Details, tc.reason)
			}
			state := tc.state
			if state == "" {
				state = store.Fetched
			}
			o, now := b.outcome(t, tx)
			if now != state {
				t.Errorf("state %s, want %s", now, state)
			}
			calls := 0
			switch state {
			case store.Authenticated, store.Rejected, store.Failed:
				calls = 1
				if o.State != state || o.Reason != tc.why || o.Method != tc.method {
					t.Errorf("outcome %+v", o)
				}
				if attempts := strings.Contains(string(o.Result), `"pin_attempts":1`); attempts != (tc.attempts == 1) {
					t.Errorf("result %s", o.Result)
				}
			default:
				if o.State != "" {
					t.Errorf("outcome %+v", o)
				}
			}
			if got := b.callbacks(t); got != calls {
				t.Errorf("%d callbacks, want %d", got, calls)
			}
		})
	}
}

func TestSignedTransactionResult(t *testing.T) {
	b := newDeviceBench(t)
	for name, key := range map[string]*phone.Key{"verified": b.kim.sign, "not verified": b.other.sign} {
		tx := b.open(t, b.kim, b.signing)
		text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{sign: key})
		b.send(t, tx, text)
		o, _ := b.outcome(t, tx)
		for _, want := range []string{
			`"signature":"ME`, `"signed_data":"dHMtdHJhbnNhY3Rpb24tdjEA`, `"user_public_key":"-----BEGIN PUBLIC KEY-----\n`,
			map[string]string{"verified": `"signature_verified":true`, "not verified": `"signature_verified":false`}[name],
		} {
			if !strings.Contains(string(o.Result), want) {
				t.Errorf("%s: result %s, want %s", name, o.Result, want)
			}
		}
	}
}

// The jti of an answer is used once, whatever it says.
func TestAnswerReplay(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	challenge := b.fetched(t, b.kim, tx)
	fixed := phone.Claims{"jti": "0b7d6b52-5f51-4d0e-9c57-5a4a8a7f2a10", "challenge": "x"}
	b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, challenge, reply{claims: fixed})), 400, badClaims, audit.PushAuthNotAuthenticatedInvalidToken)
	delete(fixed, "challenge")
	events := b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, challenge, reply{claims: fixed})), 401, badSignature,
		audit.PushAuthNotAuthenticatedInvalidToken)
	if !strings.Contains(events[0].Details, `"reason":"proof_replay"`) {
		t.Errorf("details %s", events[0].Details)
	}
}

func TestThirdInvalidAnswerEnds(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	challenge := b.fetched(t, b.kim, tx)
	wrong := reply{claims: phone.Claims{"user": "OTHER1"}}
	first := b.jws(t, b.kim, tx, challenge, wrong)
	b.want(t, b.send(t, tx, first), 400, badClaims, audit.PushAuthNotAuthenticatedInvalidToken)
	b.want(t, b.send(t, tx, first), 400, badClaims) // a repeat does not count
	b.want(t, b.send(t, tx, "x.y.z"), 401, badSignature, audit.PushAuthNotAuthenticatedInvalidToken)
	b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, challenge, wrong)), 400, badClaims, audit.PushAuthNotAuthenticatedInvalidToken)
	if _, state := b.outcome(t, tx); state != store.Fetched {
		t.Fatalf("state %s after two", state)
	}
	last := b.jws(t, b.kim, tx, challenge, wrong)
	b.want(t, b.send(t, tx, last), 400, badClaims, audit.PushAuthNotAuthenticatedInvalidToken)
	o, state := b.outcome(t, tx)
	if state != store.Failed || o.Reason != store.InvalidAnswer || b.callbacks(t) != 1 {
		t.Errorf("state %s, outcome %+v", state, o)
	}
	b.want(t, b.send(t, tx, last), 400, badClaims)
	b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, challenge, reply{})), 404, noTransaction, audit.PushAuthNotAuthenticatedInvalidTransaction)
}

func TestAnswerRepeats(t *testing.T) {
	for name, r := range map[string]reply{"accepted": {}, "denied": {deny: true}} {
		t.Run(name, func(t *testing.T) {
			b := newDeviceBench(t)
			tx := b.open(t, b.kim)
			text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), r)
			first := b.send(t, tx, text)
			b.Codes(t)
			b.Clock.Advance(60 * time.Second)
			b.want(t, b.send(t, tx, text), 200, first.Body)
			b.Clock.Advance(time.Second)
			b.want(t, b.send(t, tx, text), 404, noTransaction, audit.PushAuthNotAuthenticatedInvalidTransaction)
			if b.callbacks(t) != 1 {
				t.Error("a repeat called back")
			}
		})
	}
}

// Redis has forgotten or never learned of the decision: the rows answer.
func TestAnswerAfterRedisFellBehind(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{})
	b.RedisServer.HSet("{tx:"+tx.ID+"}:rec", "keep", "1")
	snapshot := map[string]string{}
	keys, err := b.RedisServer.HKeys("{tx:" + tx.ID + "}:rec")
	b.ok(t, err)
	for _, key := range keys {
		snapshot[key] = b.RedisServer.HGet("{tx:"+tx.ID+"}:rec", key)
	}
	b.want(t, b.send(t, tx, text), 200, authenticatedBody(tx), audit.PushAuthAuthenticated)
	for key, value := range snapshot { // a fail-over to a replica that saw less
		b.RedisServer.HSet("{tx:"+tx.ID+"}:rec", key, value)
	}
	b.want(t, b.send(t, tx, text), 200, authenticatedBody(tx))
	other := b.jws(t, b.kim, tx, snapshot["challenge"], reply{deny: true})
	b.want(t, b.send(t, tx, other), 409, conflict, audit.PushAuthNotAuthenticatedInvalidTransaction)
	b.RedisServer.FlushAll()
	b.want(t, b.send(t, tx, text), 200, authenticatedBody(tx))
	if o, err := b.Store.TransactionOutcome(t.Context(), tx.ID); err != nil || o.State != store.Authenticated || b.callbacks(t) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAnswerWithoutRedis(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{})
	b.RedisServer.Close()
	b.want(t, b.send(t, tx, text), 503, body("temporarily_unavailable", "the server cannot work right now, try again shortly"))
	if _, err := b.Store.TransactionOutcome(t.Context(), tx.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("decided nevertheless: %v", err)
	}
}
