package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

const (
	twoWayPath      = "/api/v1/two-way-otp"
	backChannelPath = "/api/v3/custom-registration/two-steps/backchannel"
)

// quay is the app whose users are registered by API.
func quay(apiVersion int) phone.App {
	app := android()
	app.Identifier, app.APIVersion = byAPI, apiVersion
	return app
}

// TestCustomRegistration: the phone registers users through an operator's service, by both protocols, and uses the result.
func TestCustomRegistration(t *testing.T) {
	for version, user := range map[int]string{phone.APISecret: "q-secret", phone.APIKey: "q-key"} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			a := newActor(t, cluster(t))
			p := a.registered(quay(version))
			profile := phone.NewProfileID()
			complete := func(r phone.CustomRegistration, want int) func(context.Context) error {
				return func(ctx context.Context) error {
					r.ProfileID, r.PIN, r.Scopes = profile, pin, []string{"openid", "read"}
					step, tokens, err := p.CompleteCustomRegistration(ctx, r)
					switch {
					case err != nil:
						return err
					case step.Status != want || (tokens != nil) != step.Accepted():
						return fmt.Errorf("step %+v, tokens %v; want %d", step, tokens != nil, want)
					}
					return nil
				}
			}
			a.step("one step, wrong", "CUSTOM_REGISTRATION_COMPLETE_FAILURE", complete(phone.CustomRegistration{Provider: "one-step", Data: user + ":no"}, 4001))
			a.step("one step", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", complete(phone.CustomRegistration{Provider: "one-step", Data: user + ":harbour"}, 2000))
			a.step("refresh", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
				_, err := p.Refresh(ctx, profile, pin)
				return err
			})
			var begun *phone.CustomStep
			a.step("init", "CUSTOM_REGISTRATION_INIT_SUCCESS", func(ctx context.Context) (err error) {
				begun, err = p.BeginCustomRegistration(ctx, "two-steps", "")
				if err == nil && begun.Data != "say the password" {
					err = fmt.Errorf("step %+v", begun)
				}
				return err
			})
			r := phone.CustomRegistration{Provider: "two-steps", TransactionID: begun.TransactionID, Data: user + ":harbour"}
			a.step("complete", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", complete(r, 2000))
			a.step("again", "TOKEN_REQUEST_INVALID_GRANT", func(ctx context.Context) error {
				return refusedAs(complete(r, 2000)(ctx), http.StatusBadRequest, "invalid_transaction")
			})
			a.step("stateless", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(ctx context.Context) error {
				step, tokens, err := p.CompleteCustomRegistration(ctx, phone.CustomRegistration{Provider: "one-step", Data: user + ":harbour", Stateless: true})
				if err == nil && (!step.Accepted() || tokens == nil) {
					err = fmt.Errorf("step %+v", step)
				}
				return err
			})
		})
	}
}

// answered is what the portal of the quay gets for a client code.
func (a *actor) answered(ctx context.Context, client, clientCode, user string) (responseCode string, err error) {
	r, err := a.try(ctx, request{
		path: twoWayPath, basic: []string{client, a.d.world.secret}, json: object{"client_code": clientCode, "user_id": user},
	})
	if err != nil {
		return "", err
	}
	var body struct {
		Code string `json:"response_code"`
	}
	if err := json.Unmarshal(r.body, &body); err != nil || r.status != http.StatusOK {
		return "", fmt.Errorf("%d %s: %w", r.status, r.body, err)
	}
	return body.Code, nil
}

// backEnd calls an API of back ends and compares status and body, or the word of a refusal.
func (a *actor) backEnd(client, secret, path string, body object, status int, want string) func(context.Context) error {
	return func(ctx context.Context) error {
		r, err := a.try(ctx, request{path: path, basic: []string{client, secret}, json: body})
		if err == nil && (r.status != status || want != r.word() && want != string(r.body)) {
			err = fmt.Errorf("%d %s, want %d %s", r.status, r.body, status, want)
		}
		return err
	}
}

// TestTwoWayOTP: a code from the phone to the portal, a code back.
func TestTwoWayOTP(t *testing.T) {
	a := newActor(t, cluster(t))
	p := a.registered(quay(phone.APIKey))
	var begun *phone.CustomStep
	a.step("init", "CUSTOM_REGISTRATION_INIT_SUCCESS", func(ctx context.Context) (err error) {
		begun, err = p.BeginCustomRegistration(ctx, "codes", "")
		return err
	})
	profile := phone.NewProfileID()
	typed := func(code string, want int) func(context.Context) error {
		return func(ctx context.Context) error {
			step, _, err := p.CompleteCustomRegistration(ctx, phone.CustomRegistration{
				Provider: "codes", TransactionID: begun.TransactionID, Data: code, ProfileID: profile, PIN: pin,
			})
			if err == nil && step.Status != want {
				err = fmt.Errorf("status %d, want %d", step.Status, want)
			}
			return err
		}
	}
	a.step("too early", "ONE_TIME_PASSWORD_AUTH_FAILED", typed("000000", phone.StatusNoCode))
	a.step("no user", "API_ACCESS_GRANTED ONE_TIME_PASSWORD_GENERATION_FAILED_MISSING_USER_ID", a.backEnd(quayClient, a.d.world.secret, twoWayPath, object{"client_code": begun.Data}, 400, "invalid_request"))
	a.step("another portal", "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES", a.backEnd(portalClient, a.d.world.secret, twoWayPath, object{}, 403, "insufficient_permissions"))
	a.step("wrong secret", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS", a.backEnd(quayClient, "x", twoWayPath, object{}, 400, "invalid_client"))
	var response string
	a.step("portal", "API_ACCESS_GRANTED CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS", func(ctx context.Context) (err error) {
		response, err = a.answered(ctx, formerClient, begun.Data, "q-codes")
		return err
	})
	wrong := string('0'+(response[0]-'0'+1)%10) + response[1:]
	a.step("wrong code", "ONE_TIME_PASSWORD_AUTH_FAILED", typed(wrong, phone.StatusWrongCode))
	a.step("right code", "ONE_TIME_PASSWORD_AUTH_SUCCEEDED TOKEN_REQUEST_ACCESS_TOKEN_CREATED", typed(response, 2000))
	a.step("refresh", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
		_, err := p.Refresh(ctx, profile, pin)
		return err
	})
	a.step("back channel of another scope", "API_ACCESS_NOT_ALLOWED_INVALID_SCOPES", a.backEnd(formerClient, a.d.world.secret, backChannelPath, object{}, 403, "insufficient_permissions"))
	a.step("back channel", "API_ACCESS_GRANTED CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS", a.backEnd(quayClient, a.d.world.secret, backChannelPath, object{"data": "x"}, 200, `{"status":2000,"data":"x"}`))
}

// TestRegistrarIsDown: an operator's service that cuts the connection registers nobody.
func TestRegistrarIsDown(t *testing.T) {
	a := newActor(t, embedded(t))
	p := a.registered(quay(phone.APIKey))
	a.d.world.registrar.Script(func(standin.RegistrarCall) string { return `{"status":"2000"}` })
	t.Cleanup(func() { a.d.world.registrar.Script(nil) })
	a.step("no answer", "CUSTOM_REGISTRATION_SCRIPT_ERROR", func(ctx context.Context) error {
		_, _, err := p.CompleteCustomRegistration(ctx, phone.CustomRegistration{Provider: "one-step", Data: "x:harbour", ProfileID: phone.NewProfileID(), PIN: pin})
		return refusedAs(err, http.StatusInternalServerError, "internal_server_error")
	})
}

// TestTwoWayOTPPage: the same in a browser, with the keyboard alone; screenshots are in build/screenshots/.
func TestTwoWayOTPPage(t *testing.T) {
	chromium := findChromium(t)
	for _, s := range []screen{{"phone", 390, 844, "en", false}, {"desktop", 1280, 800, "nl", false}, {"dark", 390, 844, "fr", true}} {
		t.Run(s.name, func(t *testing.T) {
			d := embedded(t)
			b := newTab(t, d, chromium, s)
			b.twoCodes("q-page-" + s.name)
			b.complaints()
		})
	}
}

// twoCodes signs in with two codes: too early, wrong, right.
func (b *tab) twoCodes(user string) {
	p := b.registered(quay(phone.APIKey))
	authorization, err := p.Authorize(b.t.Context(), []string{"openid", "read"}, url.Values{"idp": {"codes-page"}})
	if err != nil {
		b.t.Fatal(err)
	}
	first := b.next()
	browse(b, chromedp.Navigate(authorization.URL))
	b.shows("#client-code")
	b.picture("two-way-otp")
	b.d.log.want(b.t, "page", first, "CUSTOM_REGISTRATION_INIT_SUCCESS")
	code := strings.ReplaceAll(browse(b, chromedp.Text(chromedp.CSS("#client-code"))), " ", "")

	early := b.next()
	b.reach("#code")
	b.press("123456" + kb.Enter)
	b.shows("[role=alert]")
	b.picture("two-way-otp-too-early")
	b.d.log.want(b.t, "too early", early, "ONE_TIME_PASSWORD_AUTH_FAILED")

	portal := b.next()
	response, err := b.answered(b.t.Context(), quayClient, code, user)
	if err != nil {
		b.t.Fatal(err)
	}
	b.d.log.want(b.t, "portal", portal, "API_ACCESS_GRANTED CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS")

	right := b.next()
	b.reach("#code") // has the focus again
	b.press(response + kb.Enter)
	b.shows("a#continue")
	b.d.log.want(b.t, "right code", right, "ONE_TIME_PASSWORD_AUTH_SUCCEEDED AUTHZ_REQUEST_GRANT_CREATED")
	link := browse(b, chromedp.Evaluate[string]("document.getElementById('continue').href"))
	granted, err := p.CodeFrom(b.t.Context(), authorization, link)
	if err != nil {
		b.t.Fatal(err)
	}
	b.step("code", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(ctx context.Context) error {
		_, err := p.Exchange(ctx, authorization, granted, phone.NewProfileID())
		return err
	})
}
