package pages_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// inbox is a phone that gets text messages.
type inbox struct{ texts []string }

func (i *inbox) Send(_ context.Context, _, text, _ string) error {
	i.texts = append(i.texts, text)
	return nil
}

// TestStepUpInABrowser walks a person through the code of a text message and a consent of which a part lasts, with the
// keyboard alone.
func TestStepUpInABrowser(t *testing.T) {
	chromium := findChromium(t)
	for _, s := range []screen{
		{"phone", 390, 844, "en", false},
		{"desktop", 1280, 800, "nl", false},
		{"dark", 390, 844, "de", true},
		{"french", 390, 844, "fr", false},
	} {
		t.Run(s.name, func(t *testing.T) {
			b := newTab(t, chromium, s)
			b.stepUp()
			for _, problem := range b.problems {
				t.Errorf("the browser complains: %s", problem)
			}
		})
	}
}

func (b *tab) stepUp() {
	phone := &inbox{}
	b.server.browser.SMS = phone
	d := b.server.Settings.Current().Document
	d.WebClients = slices.Clone(d.WebClients)
	d.WebClients[0].AdditionalAuthentication = settings.AdditionalSMS
	back := b.base + "/oauth/pages/landed" // nothing outside this machine is called
	d.WebClients[0].RedirectURLs = []string{back}
	d.WebClients[0].DefaultScopes = []string{"openid", "profile", "accounts:read", "transfer"}
	b.server.Settings.Set(d)
	ann, err := b.server.Store.Account(b.t.Context(), "u-ann")
	if err != nil {
		b.t.Fatal(err)
	}
	ann.Attributes["phoneNumber"] = "+31612345678"
	if err := b.server.Store.PutAccount(b.t.Context(), ann); err != nil {
		b.t.Fatal(err)
	}

	b.open("/oauth/authorize?" + query("response_type", "code", "client_id", "portal", "redirect_uri", back,
		"scope", "openid profile accounts:read transfer", "nonce", "n", "state", "s", "code_challenge", challenge, "code_challenge_method", "S256"))
	b.shows("#username")
	b.press("ann")
	b.reach("#password")
	b.press("correct horse")
	b.press(kb.Enter)

	b.shows("#code")
	b.picture("sms-step-up")
	b.wantCodes(audit.AccountSignInSuccess, audit.SMSAuthInitMessageSent)
	wrong := "000000"
	if phone.texts[0][:6] == wrong {
		wrong = "000001"
	}
	b.press(wrong) // the field has the focus
	b.press(kb.Enter)
	b.shows(".notice[role=alert]")
	b.picture("sms-step-up-wrong")
	b.wantCodes(audit.SMSStepUpCodeInvalid)

	b.server.Clock.Advance(31 * time.Second)
	b.reach("button[value=resend]")
	b.press(kb.Enter)
	b.shows(".notice[role=status]")
	b.picture("sms-step-up-sent")
	b.wantCodes(audit.SMSResendSucceeded)
	b.press(phone.texts[1][:6])
	b.press(kb.Enter)

	b.shows("button[value=accept]")
	b.picture("consent")
	b.wantCodes(audit.SMSAuthAuthenticated)
	if n := browse(b, chromedp.Evaluate[int]("document.scripts.length")); n != 0 {
		b.t.Errorf("%d scripts on the consent page", n)
	}
	b.reach("button[value=deny]")
	b.reach("button[value=accept]")
	b.press(kb.Enter)
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	for !strings.HasPrefix(browse(b, chromedp.Location()), back+"?code=") {
		select {
		case <-ctx.Done():
			b.t.Fatalf("at %s, not at the client", browse(b, chromedp.Location()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)
	if list, err := b.server.Store.ConsentsOfUser(b.t.Context(), "u-ann"); err != nil || slices.ContainsFunc(list, func(c store.Consent) bool { return c.Scope == "transfer" }) {
		b.t.Errorf("stored %v, %v: transfer is asked each time", list, err)
	}
}
