package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"testing"
)

const rpStepUp = "rp-step-up" // its users type a code from a text message, too

var digits = regexp.MustCompile(`\b[0-9]{6}\b`)

// textedCode reads the newest code that the user of step-ups was sent.
func (w *world) textedCode(context.Context) (string, error) {
	texts := w.sms.Inbox("+31612345678")
	if len(texts) == 0 {
		return "", fmt.Errorf("no text message among %d", len(w.sms.Texts()))
	}
	return digits.FindString(texts[len(texts)-1].Body), nil
}

// TestStepUp: one deployment of its own, because a phone has one inbox.
func TestStepUp(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	wrong := func(context.Context) (string, error) { return "000000", nil }
	visit := func(change func(*relyingParty)) func(*actor) ending {
		return func(a *actor) ending {
			rp := &relyingParty{actor: a, id: rpStepUp, redirect: rpRedirect, person: a.person(rpUser)}
			rp.person.SMSCode = d.world.textedCode
			change(rp)
			back, err := rp.open(rp.request(nil))
			if err != nil {
				return a.ended(err)
			}
			return ending{a.status(), back.Get("error")}
		}
	}
	forged := func(field, value string) func(*relyingParty) {
		return func(rp *relyingParty) {
			rp.via = &meddler{actor: rp.actor, path: "/sms-step-up", change: func(form url.Values) { form.Set(field, value) }}
		}
	}
	for _, r := range []row{
		{"right code", visit(func(*relyingParty) {}), 302, "", "ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_MESSAGE_SENT SMS_AUTH_AUTHENTICATED AUTHZ_REQUEST_GRANT_CREATED"},
		{
			"wrong code once", visit(forged("code", "000000")), 302, "",
			"ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_MESSAGE_SENT SMS_STEP_UP_CODE_INVALID SMS_AUTH_AUTHENTICATED AUTHZ_REQUEST_GRANT_CREATED",
		},
		{
			"wrong code three times", visit(func(rp *relyingParty) { rp.person.SMSCode = wrong }), 303, "access_denied",
			"ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_MESSAGE_SENT SMS_STEP_UP_CODE_INVALID SMS_STEP_UP_CODE_INVALID SMS_STEP_UP_CODE_INVALID",
		},
		{
			"forged form", visit(forged("csrfToken", randomHex(160))), 302, "",
			"ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_MESSAGE_SENT SMS_STEP_UP_CSRF_INVALID SMS_AUTH_AUTHENTICATED AUTHZ_REQUEST_GRANT_CREATED",
		},
		{
			"nobody's number", visit(func(rp *relyingParty) { rp.person.Username = "kim" }), 302, "access_denied",
			"ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_FAILURE_PHONE_NUMBER_INVALID_OR_MISSING",
		},
		{"gateway out of order", visit(func(rp *relyingParty) { d.world.sms.FailNext(2, 500, "no") }), 302, "temporarily_unavailable", "ACCOUNT_SIGN_IN_SUCCESS SMS_AUTH_INIT_FAILURE_FAILED_TO_SEND_SMS"},
	} {
		t.Run(r.name, func(t *testing.T) {
			a := newActor(t, d)
			if got, want := r.do(a), (ending{r.status, r.word}); got != want {
				t.Errorf("ended with %d %q, want %d %q", got.status, got.word, want.status, want.word)
			}
			d.world.sms.FailNext(0, 0, "")
			d.log.want(t, r.name, a.transaction, r.audit)
		})
	}
}
