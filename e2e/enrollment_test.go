package e2e_test

import (
	"context"
	"testing"

	"tokenserver/phone"
)

// begun is a signed-in phone whose enrollment has begun.
func (a *actor) begun(user string) *phone.Enrollment {
	a.t.Helper()
	p, profile := a.signedIn(android(), user)
	var e *phone.Enrollment
	a.quietly("begin enrollment", func(ctx context.Context) (err error) {
		e, err = p.BeginEnrollment(ctx, profile, a.d.world.androidDevice())
		return err
	})
	a.begin()
	return e
}

func TestEnrollment(t *testing.T) {
	initialize := func(body map[string]any, authenticated bool) func(*actor) ending {
		return func(a *actor) ending {
			p, profile := a.signedIn(android(), "kim")
			token, err := p.AccessToken(profile)
			if err != nil {
				a.t.Fatal(err)
			}
			return a.do(p, phone.Request{Path: "/mobile-auth/v1/enrollments", JSON: body, ClientAuth: authenticated, Bearer: token}).ended()
		}
	}
	runRows(t, cluster(t), []row{
		{"whole", func(a *actor) ending {
			p, profile := a.signedIn(android(), "kim")
			return a.ended(p.Enroll(a.t.Context(), profile, a.d.world.androidDevice()))
		}, 204, "", "ENROLLMENT_INITIALIZED ENROLLMENT_KEY_FETCHED ENROLLMENT_ACK_SUCCESS"},
		{"whole, with a secret", func(a *actor) ending {
			p, profile := a.signedIn(withSecret(android()), "kim")
			return a.ended(p.Enroll(a.t.Context(), profile, ""))
		}, 204, "", "ENROLLMENT_INITIALIZED ENROLLMENT_KEY_FETCHED ENROLLMENT_ACK_SUCCESS"},
		{"no keys", initialize(map[string]any{"keys": []any{}, "proof": "x"}, true), 400, "invalid_request", "ENROLLMENT_INIT_FAILURE_INVALID_REQ"},
		{"no client authentication", initialize(map[string]any{"keys": []any{}, "proof": "x"}, false), 401, "invalid_client", "ENROLLMENT_INIT_FAILURE_INVALID_TOKEN"},
		{"revoked access token", func(a *actor) ending {
			p, profile := a.signedIn(android(), "lou")
			a.revokeAccessToken(p, profile)
			_, err := p.BeginEnrollment(a.t.Context(), profile, "")
			return a.ended(err)
		}, 401, "invalid_token", "ENROLLMENT_INIT_FAILURE_INVALID_TOKEN"},
		{"push token of another user", func(a *actor) ending {
			token := a.d.world.androidDevice()
			a.enrolled(android(), "kim", token)
			p, profile := a.signedIn(android(), "lou")
			_, err := p.BeginEnrollment(a.t.Context(), profile, token)
			return a.ended(err)
		}, 409, "push_token_in_use", "ENROLLMENT_INIT_FAILURE_EXISTING_PUSH_TOKEN"},
		{"reinstalled app", func(a *actor) ending {
			token := a.d.world.androidDevice()
			a.enrolled(android(), "max", token)
			p, profile := a.signedIn(android(), "max")
			_, err := p.BeginEnrollment(a.t.Context(), profile, token)
			return a.ended(err)
		}, 201, "", "ENROLLMENT_INIT_DROP_EXISTING_APP_INSTANCE ENROLLMENT_INITIALIZED"},
		{"key step of an unknown enrollment", func(a *actor) ending {
			e := a.begun("kim")
			e.ID = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
			return a.ended(e.FetchKeys(a.t.Context()))
		}, 404, "invalid_id", "ENROLLMENT_KEY_FAILURE_INVALID_ID"},
		{"key step with another challenge", func(a *actor) ending {
			e := a.begun("kim")
			e.Challenge = randomText(32)
			return a.ended(e.FetchKeys(a.t.Context()))
		}, 400, "invalid_request", "ENROLLMENT_KEY_FAILURE_INVALID_REQ"},
		{"acknowledgement of an unknown enrollment", func(a *actor) ending {
			e := a.begun("lou")
			e.ID = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
			return a.ended(e.Acknowledge(a.t.Context()))
		}, 404, "invalid_id", "ENROLLMENT_ACK_FAILURE_INVALID_ID"},
		{"acknowledgement without the key step", func(a *actor) ending {
			return a.ended(a.begun("lou").Acknowledge(a.t.Context()))
		}, 400, "invalid_request", "ENROLLMENT_ACK_FAILURE_INVALID_ID"},
	})
}

func TestPushTokenUpdate(t *testing.T) {
	update := func(app phone.App, device func(*world) string, change func(a *actor, was string) (before, after string)) func(*actor) ending {
		return func(a *actor) ending {
			was := device(a.d.world)
			p, _ := a.enrolled(app, "noa", was)
			a.quietly("client token", func(ctx context.Context) error { _, err := p.Pending(ctx); return err })
			before, after := change(a, was)
			a.begin()
			return a.ended(p.UpdatePushToken(a.t.Context(), before, after))
		}
	}
	runRows(t, cluster(t), []row{
		{"new token", update(android(), (*world).androidDevice, func(a *actor, was string) (string, string) {
			return was, a.d.world.androidDevice()
		}), 204, "", "ENROLLMENT_UPDATE_SUCCESS"},
		{"old token is not current", update(android(), (*world).androidDevice, func(a *actor, _ string) (string, string) {
			return a.d.world.androidDevice(), a.d.world.androidDevice()
		}), 400, "invalid_request", "ENROLLMENT_UPDATE_FAILURE_INVALID_REQ"},
		{"new token of another client", update(android(), (*world).androidDevice, func(a *actor, was string) (string, string) {
			taken := a.d.world.androidDevice()
			a.enrolled(android(), "pat", taken)
			return was, taken
		}), 409, "push_token_in_use", "ENROLLMENT_UPDATE_FAILURE_INVALID_REQ"},
		{"iOS", update(ios(), (*world).iosDevice, func(a *actor, was string) (string, string) {
			return was, a.d.world.iosDevice()
		}), 400, "unsupported_platform", "ENROLLMENT_UPDATE_FAILURE_UNSUPPORTED_PLATFORM"},
		{"unknown access token", func(a *actor) ending {
			return a.do(a.registered(android()), phone.Request{
				Method: "PUT", Path: "/mobile-auth/v1/push-token", Bearer: randomHex(32),
				JSON: map[string]any{"old_push_token": a.d.world.androidDevice(), "new_push_token": a.d.world.androidDevice()},
			}).ended()
		}, 401, "invalid_token", "ENROLLMENT_UPDATE_FAILURE_INVALID_TOKEN"},
	})
}
