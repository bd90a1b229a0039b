package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// refusedAs says how an error differs from the refusal that is wanted; nil: it does not.
func refusedAs(err error, status int, word string) error {
	var portal *standin.PortalError
	switch refused := phone.Refused(err); {
	case err == nil:
		return fmt.Errorf("accepted, want %d %s", status, word)
	case refused != nil && refused.Status == status && refused.Code == word:
		return nil
	case errors.As(err, &portal) && portal.Status == status && portal.ErrorCode == word:
		return nil
	}
	return fmt.Errorf("%w, want %d %s", err, status, word)
}

// byWord is how a call of the portal ended that never reached the portal API, whose errors have numbers.
func byWord(err error) ending {
	var refused *standin.PortalError
	if errors.As(err, &refused) {
		return ending{refused.Status, refused.Word}
	}
	return ending{}
}

func TestPushInitialization(t *testing.T) {
	// initialize changes a right request for an enrolled Android phone.
	initialize := func(change func(a *actor, p *phone.Phone, in *standin.Initiation)) func(*actor) ending {
		return func(a *actor) ending {
			p, _ := a.enrolled(android(), "noa", a.d.world.androidDevice())
			in := a.initiation(p, "noa", typePush)
			change(a, p, &in)
			a.begin()
			_, err := a.portal().Init(a.t.Context(), in)
			return a.ended(err)
		}
	}
	// toApp starts a transaction for a phone with another build or push token.
	toApp := func(app phone.App, token func(*world) string) func(*actor) ending {
		return func(a *actor) ending {
			p, _ := a.enrolled(app, "pat", token(a.d.world))
			a.begin()
			_, err := a.portal().Init(a.t.Context(), a.initiation(p, "pat", typePush))
			return a.ended(err)
		}
	}
	const granted = "API_ACCESS_GRANTED "
	runRows(t, cluster(t), []row{
		{"android", initialize(func(*actor, *phone.Phone, *standin.Initiation) {}), 200, "", granted + "PUSH_AUTH_INITIALIZED"},
		{"ios", toApp(ios(), (*world).iosDevice), 200, "", granted + "PUSH_AUTH_INITIALIZED"},
		{"default message", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Message, in.Language = "", "nl" }), 200, "", granted + "PUSH_AUTH_INITIALIZED"},
		{"no message", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Message, in.Type = "", typePIN }), 400, "1003", granted + "PUSH_AUTH_INIT_FAILURE_INVALID_REQ"},
		{"no type", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Type = "" }), 400, "1003", granted + "PUSH_AUTH_INIT_FAILURE_INVALID_REQ"},
		{"no user", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.UserID = "" }), 400, "1003", granted + "PUSH_AUTH_INIT_FAILURE_INVALID_REQ"},
		{"no device", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.DeviceID = "" }), 400, "1003", granted + "PUSH_AUTH_INIT_FAILURE_INVALID_REQ"},
		{
			"callback of somebody else", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.CallbackURI = "https://evil.example.org/" }),
			400, "1003", granted + "PUSH_AUTH_INIT_FAILURE_INVALID_REQ",
		},
		{"unknown type", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Type = "magic" }), 404, "4000", granted + "AUTH_INIT_FAILURE_INVALID_AUTH_PROPERTIES_NAME"},
		{"long message", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Message = strings.Repeat("é", 156) }), 400, "1005", granted + "PUSH_AUTH_INIT_FAILURE_MESSAGE_TOO_LONG"},
		{"longest message", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.Message = strings.Repeat("é", 155) }), 200, "", granted + "PUSH_AUTH_INITIALIZED"},
		{"unknown device", initialize(func(_ *actor, _ *phone.Phone, in *standin.Initiation) { in.DeviceID = strings.Repeat("A", 64) }), 404, "1001", granted + "PUSH_AUTH_INIT_FAILURE_NO_APP_INSTANCE"},
		{"keys without push token", toApp(android(), func(*world) string { return "" }), 404, "1001", granted + "PUSH_AUTH_INIT_FAILURE_NO_APP_INSTANCE"},
		{"push token that Google does not know", toApp(android(), func(*world) string { return "unknown-" + randomText(24) }), 503, "1002", granted + "PUSH_AUTH_INIT_FAILURE"},
		{"push token that Apple does not know", toApp(ios(), func(*world) string { return randomHex(32) }), 503, "1002", granted + "PUSH_AUTH_INIT_FAILURE"},
		{"PIN without refresh token", initialize(func(a *actor, p *phone.Phone, in *standin.Initiation) {
			a.quietly("end sessions", func(ctx context.Context) error { return p.EndSessions(ctx, p.Profiles()[0]) })
			in.Type = typePIN
		}), 404, "1001", granted + "PUSH_AUTH_INIT_FAILURE_AUTH_METHOD_NOT_AVAILABLE"},
		{"wrong secret", func(a *actor) ending {
			portal := a.portal()
			portal.ClientSecret = "wrong"
			_, err := portal.Init(a.t.Context(), standin.Initiation{})
			return byWord(err)
		}, 401, "invalid_client", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"},
		{"scope missing", func(a *actor) ending {
			portal := a.portal()
			portal.ClientID = gatewayClient
			_, err := portal.Init(a.t.Context(), standin.Initiation{})
			return byWord(err)
		}, 400, "invalid_scope", "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES"},
		{"no client credentials", func(a *actor) ending {
			portal := a.portal()
			portal.ClientID = codeOnly
			_, err := portal.Init(a.t.Context(), standin.Initiation{})
			return byWord(err)
		}, 400, "unauthorized_client", "API_ACCESS_NOT_ALLOWED_DISABLED_GRANT_TYPE"},
	})
}

func TestPushResend(t *testing.T) {
	resend := func(change func(a *actor, p *phone.Phone, profile string, user, transaction *string)) func(*actor) ending {
		return func(a *actor) ending {
			p, profile, started := a.asked("sam", typePush)
			user, transaction := "u-sam", started.TransactionID
			change(a, p, profile, &user, &transaction)
			a.begin()
			return a.ended(a.portal().Resend(a.t.Context(), user, transaction))
		}
	}
	once := func(a *actor, user, transaction string) {
		a.quietly("resend", func(ctx context.Context) error { return a.portal().Resend(ctx, user, transaction) })
	}
	const granted = "API_ACCESS_GRANTED "
	runRows(t, cluster(t), []row{
		{"sent again", resend(func(*actor, *phone.Phone, string, *string, *string) {}), 204, "", granted + "PUSH_AUTH_RESEND_SUCCESS"},
		{
			"too often", resend(func(a *actor, _ *phone.Phone, _ string, user, transaction *string) { once(a, *user, *transaction) }),
			403, "3006", granted + "PUSH_AUTH_RESEND_FAILURE_RESEND_LIMIT_REACHED",
		},
		{"no transaction", resend(func(_ *actor, _ *phone.Phone, _ string, _, transaction *string) { *transaction = "" }), 400, "1003", granted + "PUSH_AUTH_RESEND_FAILURE"},
		{"unknown transaction", resend(func(_ *actor, _ *phone.Phone, _ string, _, transaction *string) {
			*transaction = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
		}), 404, "3004", granted + "PUSH_AUTH_RESEND_FAILURE"},
		{"another user", resend(func(_ *actor, _ *phone.Phone, _ string, user, _ *string) { *user = "u-lou" }), 404, "3005", granted + "PUSH_AUTH_RESEND_FAILURE"},
		{"fetched already", resend(func(a *actor, p *phone.Phone, profile string, _, transaction *string) {
			a.quietly("fetch", func(ctx context.Context) error { _, err := p.Fetch(ctx, *transaction, profile); return err })
		}), 404, "3004", granted + "PUSH_AUTH_RESEND_FAILURE"},
		{"app removed from the phone", resend(func(a *actor, p *phone.Phone, profile string, _, _ *string) {
			a.d.world.fcm.Unregister(p.PushToken(profile))
		}), 503, "1002", granted + "PUSH_AUTH_RESEND_FAILURE"},
		{"push token known to be dead", resend(func(a *actor, p *phone.Phone, profile string, user, transaction *string) {
			a.d.world.fcm.Unregister(p.PushToken(profile))
			if err := refusedAs(a.portal().Resend(a.t.Context(), *user, *transaction), 503, "1002"); err != nil {
				a.t.Fatal(err)
			}
		}), 404, "1001", granted + "PUSH_AUTH_RESEND_FAILURE_NO_APP_INSTANCE"},
	})
}

func TestPushResult(t *testing.T) {
	result := func(client string, transaction func(a *actor) string) func(*actor) ending {
		return func(a *actor) ending {
			id := transaction(a)
			portal := a.portal()
			portal.ClientID = client
			a.begin()
			_, err := portal.Result(a.t.Context(), id)
			return a.ended(err)
		}
	}
	open := func(a *actor) string { _, _, started := a.asked("tess", typePush); return started.TransactionID }
	runRows(t, cluster(t), []row{
		{"open", result(portalClient, open), 200, "", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_RETRIEVED"},
		{"of another portal", result(otherPortal, open), 404, "1006", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_NOT_RETRIEVED"},
		{
			"unknown", result(portalClient, func(*actor) string { return "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21" }),
			404, "1006", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_NOT_RETRIEVED",
		},
		{"availability", func(a *actor) ending {
			p, _ := a.enrolled(android(), "uma", a.d.world.androidDevice())
			a.begin()
			names, err := a.portal().Availability(a.t.Context(), "u-uma", p.ClientID())
			if err == nil && strings.Join(names, " ") != strings.Join([]string{typePush, typePIN, typeSign, typeHurry}, " ") {
				a.t.Errorf("available: %v", names)
			}
			return a.ended(err)
		}, 200, "", "API_ACCESS_GRANTED"},
	})
}
