package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// TestJourney walks the main job from the registration of an installation to the result that the portal fetches.
func TestJourney(t *testing.T) {
	for _, on := range []struct {
		name   string
		deploy func(*testing.T) *deployment
	}{{"embedded", embedded}, {"cluster", cluster}} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			for _, device := range []struct {
				name, user string
				app        phone.App
				token      func(*world) string
				pushes     func(*world) []standin.Push
			}{
				{"android", "kim", android(), (*world).androidDevice, func(w *world) []standin.Push { return w.fcm.Pushes() }},
				{"ios", "lou", ios(), (*world).iosDevice, func(w *world) []standin.Push { return w.apns.Pushes() }},
			} {
				t.Run(device.name, func(t *testing.T) {
					t.Parallel()
					d := on.deploy(t)
					journey(t, newActor(t, d), device.app, device.user, device.token(d.world), device.pushes)
				})
			}
		})
	}
}

func journey(t *testing.T, a *actor, app phone.App, user, pushToken string, pushes func(*world) []standin.Push) {
	p, profile := a.phone(app), phone.NewProfileID()
	a.step("register", "DYNAMIC_REG_SUCCESS", func(ctx context.Context) error { return p.Register(ctx, "Phone of "+user) })
	a.step("validate", "CLIENT_CREDENTIALS_CHECK_SUCCESS", func(ctx context.Context) error {
		v, err := p.Validate(ctx)
		if err == nil && (v.Status != phone.Valid || len(v.Profiles) != 0 || v.Configuration.MaxPINFailures != 3) {
			return fmt.Errorf("the installation is %s with profiles %v", v.Status, v.Profiles)
		}
		return err
	})
	a.step("sign in", "ACCOUNT_SIGN_IN_SUCCESS CONSENT_GIVEN AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED",
		func(ctx context.Context) error {
			tokens, err := p.SignIn(ctx, profile, pin, []string{"openid", "read"}, a.person(user))
			if err == nil && (tokens.Scope != "openid read" || tokens.ProfileID != profile || tokens.IDToken == "") {
				return fmt.Errorf("tokens for %q and profile %q", tokens.Scope, tokens.ProfileID)
			}
			return err
		})
	a.step("PIN", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
		_, err := p.Refresh(ctx, profile, pin)
		return err
	})
	a.step("enroll", "ENROLLMENT_INITIALIZED ENROLLMENT_KEY_FETCHED ENROLLMENT_ACK_SUCCESS", func(ctx context.Context) error {
		return p.Enroll(ctx, profile, pushToken)
	})

	var started *standin.Initiated
	a.step("push", "API_ACCESS_GRANTED PUSH_AUTH_INITIALIZED", func(ctx context.Context) (err error) {
		started, err = a.portal().Init(ctx, standin.Initiation{
			Type: typeSign, UserID: "u-" + user, DeviceID: p.ClientID(), CallbackURI: a.d.world.portal.CallbackURL(),
			Message: "Confirm your payment", SecureMessage: "€ 125.00 to J. Doe", SigningData: `{"amount":"125.00"}`,
		})
		if err == nil && (started.Method != "push" || started.TimeToLive != 300000 || started.Device == nil || started.Device.Name != "Phone of "+user) {
			return fmt.Errorf("started %+v", started)
		}
		return err
	})

	push := pushTo(t, pushToken, pushes(a.d.world))
	if push.TransactionID != started.TransactionID || push.ProfileID != profile || push.Message != "Confirm your payment" {
		t.Fatalf("push says %+v", push)
	}
	var message *phone.Message
	a.step("fetch", "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED", func(ctx context.Context) (err error) {
		message, err = p.Fetch(ctx, push.TransactionID, push.ProfileID)
		if err == nil && (message.SecureText != "€ 125.00 to J. Doe" || message.AnswerVersion != 2 || message.MaxAttempts != 3 ||
			message.RemainingAttempts == nil || *message.RemainingAttempts != 3) {
			return fmt.Errorf("message %+v", message)
		}
		return err
	})
	a.step("wrong PIN", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := p.Accept(ctx, message, wrongPIN)
		if refused := phone.Refused(err); refused == nil || refused.Remaining == nil || *refused.Remaining != 2 || refused.Used == nil || *refused.Used != 1 {
			return fmt.Errorf("not refused with 2 of 3 attempts left: %w", err)
		}
		return nil
	})
	a.step("open result", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_RETRIEVED", func(ctx context.Context) error {
		got, err := a.portal().Result(ctx, started.TransactionID)
		if err == nil && (got.Authenticated || got.Reason != nil) {
			return errors.New("the transaction is not open")
		}
		return err
	})
	a.quietly("right PIN", func(ctx context.Context) error {
		got, err := p.Accept(ctx, message, pin)
		if err == nil && got.Result != "authenticated" {
			return fmt.Errorf("result %q", got.Result)
		}
		return err
	})
	a.called(started.TransactionID)
	a.step("result", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_RETRIEVED", func(ctx context.Context) error {
		got, err := a.portal().Result(ctx, started.TransactionID)
		if err == nil && (!got.Authenticated || got.UserID != "u-"+user || got.Method != "push_with_pin" || got.Attempts == nil || *got.Attempts != 2 ||
			got.SignatureVerified == nil || !*got.SignatureVerified) {
			return fmt.Errorf("outcome %+v", got)
		}
		return err
	})
	a.story(p.ClientID(), "u-"+user)
}

// story reads the audit log as helpdesk does, by installation: every step is there, in its order, with the user it was about.
func (a *actor) story(clientID, userID string) {
	a.t.Helper()
	want := []string{
		"DYNAMIC_REG_SUCCESS", "CLIENT_CREDENTIALS_CHECK_SUCCESS", // nobody has signed in yet
		"ACCOUNT_SIGN_IN_SUCCESS", "CONSENT_GIVEN", "AUTHZ_REQUEST_GRANT_CREATED", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED",
		"TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", "ENROLLMENT_INITIALIZED", "ENROLLMENT_KEY_FETCHED", "ENROLLMENT_ACK_SUCCESS",
		"PUSH_AUTH_INITIALIZED", "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN",
		"PUSH_AUTH_TRANSACTION_RETRIEVED", "PUSH_AUTH_AUTHENTICATED", "PUSH_AUTH_CALLBACK_SENT", "PUSH_AUTH_TRANSACTION_RETRIEVED",
	}
	events, err := a.d.log.page(a.t.Context(), nextTransaction("harness"), url.Values{"client_id": {clientID}, "size": {"100"}})
	if err != nil {
		a.t.Fatal(err)
	}
	slices.Reverse(events) // the newest came first
	if got := codesOf(events); got != strings.Join(want, " ") {
		a.t.Errorf("the story of the installation\n  is   %s\n  want %s", got, strings.Join(want, " "))
		return
	}
	for i, e := range events {
		known := i > 1
		portals := strings.HasPrefix(e.Code, "PUSH_AUTH_TRANSACTION_") || strings.HasPrefix(e.Code, "PUSH_AUTH_CALLBACK_") // name no application
		if (e.Application != application && !portals) || known != (e.UserID == userID) || (!known && e.UserID != "") {
			a.t.Errorf("%s: application %q, user %q", e.Code, e.Application, e.UserID)
		}
		if strings.HasPrefix(e.Code, "PUSH_AUTH_") && e.detail("transaction_id") == "" {
			a.t.Errorf("%s names no transaction: %v", e.Code, e.Details)
		}
	}
}

// pushTo returns the last push that a device got.
func pushTo(t *testing.T, token string, pushes []standin.Push) *phone.Push {
	t.Helper()
	for i := len(pushes) - 1; i >= 0; i-- {
		if pushes[i].Token == token {
			push, err := phone.ParsePush(pushes[i].Payload)
			if err != nil {
				t.Fatal(err)
			}
			return push
		}
	}
	t.Fatal("the device got no push")
	return nil
}

// called waits until the portal was told about a transaction, with a good signature and exactly one event.
func (a *actor) called(transactionID string) {
	a.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		for _, c := range a.d.world.portal.Callbacks() {
			if c.TransactionID == transactionID {
				if c.Problem != "" || c.Status != 204 {
					a.t.Fatalf("callback: %s (status %d)", c.Problem, c.Status)
				}
				a.d.log.await(a.t, "PUSH_AUTH_CALLBACK_SENT", func(e event) bool {
					return e.Code == "PUSH_AUTH_CALLBACK_SENT" && e.detail("transaction_id") == transactionID
				})
				return
			}
		}
		if time.Now().After(deadline) {
			a.t.Fatal("the portal was not called")
		}
		time.Sleep(pollEvery)
	}
}
