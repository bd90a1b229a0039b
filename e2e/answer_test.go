package e2e_test

import (
	"context"
	"testing"
	"time"

	"tokenserver/phone"
)

func TestFetch(t *testing.T) {
	fetch := func(kind string, change func(a *actor, p *phone.Phone, profile string, transaction *string)) func(*actor) ending {
		return func(a *actor) ending {
			p, profile, started := a.asked("uma", kind)
			transaction := started.TransactionID
			change(a, p, profile, &transaction)
			a.begin()
			_, err := p.Fetch(a.t.Context(), transaction, profile)
			return a.ended(err)
		}
	}
	runRows(t, cluster(t), []row{
		{"fetched", fetch(typePIN, func(*actor, *phone.Phone, string, *string) {}), 200, "", "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED"},
		{"unknown transaction", fetch(typePIN, func(_ *actor, _ *phone.Phone, _ string, transaction *string) {
			*transaction = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
		}), 404, "invalid_transaction", "PUSH_AUTH_FETCH_FAILED_INVALID_TRANSACTION"},
		{"transaction of another phone", fetch(typePIN, func(a *actor, _ *phone.Phone, _ string, transaction *string) {
			_, _, other := a.asked("vic", typePIN)
			*transaction = other.TransactionID
		}), 404, "invalid_transaction", "PUSH_AUTH_FETCH_FAILED_INVALID_TRANSACTION"},
		{"fetched before", fetch(typePIN, func(a *actor, p *phone.Phone, profile string, transaction *string) {
			a.quietly("fetch", func(ctx context.Context) error { _, err := p.Fetch(ctx, *transaction, profile); return err })
		}), 409, "already_fetched", "PUSH_AUTH_FETCH_FAILED_TRANSACTION_ALREADY_FETCHED"},
		{
			"too late", fetch(typeHurry, func(a *actor, _ *phone.Phone, _ string, transaction *string) { a.expired(*transaction) }),
			410, "expired", "PUSH_AUTH_FETCH_FAILED_TRANSACTION_EXPIRED",
		},
	})
}

// expired waits until the portal does not see an unanswered transaction any more.
func (a *actor) expired(transaction string) {
	a.t.Helper()
	a.begin()
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := a.portal().Result(a.t.Context(), transaction)
		if err != nil && refusedAs(err, 404, "1006") == nil {
			return
		}
		if err != nil || time.Now().After(deadline) {
			a.t.Fatalf("the transaction does not expire: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func TestFetchRepeat(t *testing.T) {
	a := newActor(t, cluster(t))
	p, profile, started := a.asked("uma", typePIN)
	proof, err := p.NewProof(t.Context(), profile, phone.TypeFetch, phone.Claims{"transaction_id": started.TransactionID, "user": profile})
	if err != nil {
		t.Fatal(err)
	}
	var first, second *phone.Message
	a.step("fetch", "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED", func(ctx context.Context) (err error) {
		first, err = p.FetchWith(ctx, started.TransactionID, profile, proof)
		return err
	})
	a.step("the same bytes again", "", func(ctx context.Context) (err error) {
		second, err = p.FetchWith(ctx, started.TransactionID, profile, proof)
		return err
	})
	if first.Challenge != second.Challenge {
		t.Error("the repeat brought another message")
	}
}

func TestAnswer(t *testing.T) {
	type changed struct {
		claims  phone.Claims // laid over the right ones
		version int          // of the endpoint, when not the right one
		plain   bool         // signed only, although it carries a token
	}
	// answer sends an accepting answer with the right PIN in which something was changed.
	answer := func(kind string, change changed) func(*actor) ending {
		return func(a *actor) ending {
			p, m := a.fetched("wes", kind)
			method := phone.MethodPIN
			if kind == typePush {
				method = phone.MethodPush
			}
			claims, err := p.AnswerClaims(a.t.Context(), m, "accept", method)
			if err != nil {
				a.t.Fatal(err)
			}
			if kind != typePush {
				claims["refresh_token"] = a.refreshToken(p, m.ProfileID)
			}
			for name, value := range change.claims {
				claims[name] = value
			}
			text, err := p.SignAnswer(m.ProfileID, claims)
			if err == nil && kind != typePush && !change.plain {
				text, err = p.EncryptAnswer(m.ProfileID, text)
			}
			if err != nil {
				a.t.Fatal(err)
			}
			version := m.AnswerVersion
			if change.version != 0 {
				version = change.version
			}
			a.begin()
			_, err = p.SendAnswer(a.t.Context(), &phone.Answer{TransactionID: m.TransactionID, Version: version, Text: text})
			return a.ended(err)
		}
	}
	runRows(t, cluster(t), []row{
		{"plain", answer(typePush, changed{}), 200, "", "PUSH_AUTH_AUTHENTICATED"},
		{"PIN", answer(typePIN, changed{}), 200, "", "PUSH_AUTH_AUTHENTICATED"},
		{"PIN and signature", answer(typeSign, changed{}), 200, "", "PUSH_AUTH_AUTHENTICATED"},
		{"denied", func(a *actor) ending {
			p, m := a.fetched("wes", typePIN)
			_, err := p.Deny(a.t.Context(), m)
			return a.ended(err)
		}, 200, "", "PUSH_AUTH_NOT_AUTHENTICATED"},
		{"unknown transaction", func(a *actor) ending {
			p, m := a.fetched("wes", typePush)
			m.TransactionID = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
			_, err := p.AcceptPlain(a.t.Context(), m)
			return a.ended(err)
		}, 404, "invalid_transaction", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TRANSACTION"},
		{"answered before", func(a *actor) ending {
			p, m := a.fetched("wes", typePush)
			a.quietly("deny", func(ctx context.Context) error { _, err := p.Deny(ctx, m); return err })
			a.begin()
			_, err := p.AcceptPlain(a.t.Context(), m)
			return a.ended(err)
		}, 404, "invalid_transaction", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TRANSACTION"},
		{"endpoint of signed transactions", answer(typePIN, changed{version: 2}), 400, "invalid_endpoint_version", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_ENDPOINT_VERSION"},
		{"endpoint of unsigned transactions", answer(typeSign, changed{version: 1}), 400, "invalid_endpoint_version", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_ENDPOINT_VERSION"},
		{"not encrypted", answer(typePIN, changed{plain: true}), 400, "decryption_failed", "PUSH_AUTH_NOT_AUTHENTICATED_FAILED_TO_DECRYPT_MESSAGE"},
		{"another audience", answer(typePIN, changed{claims: phone.Claims{"aud": "https://example.org/oauth"}}), 401, "invalid_token", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TOKEN"},
		{"too old", answer(typePIN, changed{claims: phone.Claims{"iat": time.Now().Add(-time.Hour).Unix()}}), 401, "invalid_token", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TOKEN"},
		{"another challenge", answer(typePIN, changed{claims: phone.Claims{"challenge": randomText(32)}}), 400, "invalid_token", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TOKEN"},
		{"wrong signature of the transaction", answer(typeSign, changed{claims: phone.Claims{"signature": "MAA="}}), 400, "invalid_signature", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TOKEN"},
		{"wrong PIN", answer(typePIN, changed{claims: phone.Claims{"refresh_token": randomHex(32)}}), 400, "invalid_refresh_token", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN"},
		{"wrong PIN too often", func(a *actor) ending {
			p, m := a.fetched("xan", typePIN)
			for range 2 {
				a.begin()
				if _, err := p.Accept(a.t.Context(), m, wrongPIN); refusedAs(err, 400, "invalid_refresh_token") != nil {
					a.t.Fatal(err)
				}
			}
			a.begin()
			_, err := p.Accept(a.t.Context(), m, wrongPIN)
			return a.ended(err)
		}, 403, "user_revoked", "PUSH_AUTH_VALIDATION_PIN_LIMIT_EXCEEDED"},
		{"too late", func(a *actor) ending {
			p, m := a.fetched("wes", typeHurry)
			a.expired(m.TransactionID)
			a.begin()
			_, err := p.AcceptPlain(a.t.Context(), m)
			return a.ended(err)
		}, 410, "expired", "PUSH_AUTH_NOT_AUTHENTICATED_TRANSACTION_EXPIRED"},
	})
}

// TestAnswerRepeat: the same bytes again get the stored result, no event, and cost no attempt.
func TestAnswerRepeat(t *testing.T) {
	a := newActor(t, cluster(t))
	p, m := a.fetched("yara", typePIN)
	a.step("wrong PIN", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := p.Accept(ctx, m, wrongPIN)
		return refusedAs(err, 400, "invalid_refresh_token")
	})
	a.step("the same bytes again", "", func(ctx context.Context) error {
		_, err := p.Resend(ctx, m)
		if refused := phone.Refused(err); refused != nil && (refused.Remaining == nil || *refused.Remaining != 2) {
			t.Errorf("the repeat cost an attempt: %v", err)
		}
		return refusedAs(err, 400, "invalid_refresh_token")
	})
	a.step("right PIN", "PUSH_AUTH_AUTHENTICATED", func(ctx context.Context) error { _, err := p.Accept(ctx, m, pin); return err })
	a.step("the same bytes again", "", func(ctx context.Context) error { _, err := p.Resend(ctx, m); return err })
}

// TestCallbackFailed: a portal that does not want to be called is not called again, and the result stays readable.
func TestCallbackFailed(t *testing.T) {
	a := newActor(t, cluster(t))
	p, profile := a.enrolled(android(), "zoe", a.d.world.androidDevice())
	in := a.initiation(p, "zoe", typePush)
	in.CallbackURI = a.d.world.deaf.CallbackURL()
	var id string
	a.quietly("init", func(ctx context.Context) error {
		started, err := a.portal().Init(ctx, in)
		if err == nil {
			id = started.TransactionID
		}
		return err
	})
	a.quietly("accept", func(ctx context.Context) error {
		m, err := p.Fetch(ctx, id, profile)
		if err != nil {
			return err
		}
		_, err = p.AcceptPlain(ctx, m)
		return err
	})
	a.d.log.await(t, "PUSH_AUTH_CALLBACK_FAILED", func(e event) bool {
		return e.Code == "PUSH_AUTH_CALLBACK_FAILED" && e.detail("transaction_id") == id
	})
	a.step("result", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_RETRIEVED", func(ctx context.Context) error {
		got, err := a.portal().Result(ctx, id)
		if err == nil && !got.Authenticated {
			t.Error("the transaction is not authenticated")
		}
		return err
	})
}
