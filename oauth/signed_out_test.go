package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/settings"
)

// TestSignedOutMeanwhile: who signs out in one tab gets no answer for what waits in another one, and a code of before is
// worth nothing.
func TestSignedOutMeanwhile(t *testing.T) {
	for name, out := range map[string]func(t *testing.T, v *visitor){
		"logout": func(t *testing.T, v *visitor) {
			t.Helper()
			page := v.get("/oauth/v1/logout")
			if a := v.do(http.MethodPost, "/oauth/v1/logout/accept", formOf(page)); a.Status != http.StatusOK {
				t.Fatalf("logout: %d %s", a.Status, a.Body)
			}
		},
		"another user": func(t *testing.T, v *visitor) {
			t.Helper()
			v.signIn(parameters("web", "prompt", "login"), "bob")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for step, tc := range map[string]struct {
				wait func(s *browserServer, v *visitor) func() string
			}{
				"consent": {func(_ *browserServer, v *visitor) func() string {
					page := v.signIn(parameters("asking"), "ann")
					return func() string {
						return answerOf(t, v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept"))).RawQuery
					}
				}},
				"step-up": {func(s *browserServer, v *visitor) func() string {
					messages := &textMessages{}
					s.browser.SMS, s.document.OAuth.SMSLevel = messages, 2
					s.client("asking").AdditionalAuthentication = settings.AdditionalSMS
					s.Settings.Set(s.document)
					page := v.signIn(parameters("asking"), "ann", "attribute.phoneNumber", "+31612345678")
					return func() string {
						return answerOf(t, v.typeCode(page, "code", messages.code(t))).RawQuery
					}
				}},
			} {
				t.Run(step, func(t *testing.T) {
					s := newBrowserServer(t)
					v := s.visitor(t)
					goOn := tc.wait(s, v)
					out(t, v)
					s.Codes(t)
					if q := goOn(); !strings.Contains(q, "error=login_required") {
						t.Errorf("answer %s", q)
					}
					v.wantCodes(audit.AuthnRequestLoginRequired)
				})
			}
			t.Run("code", func(t *testing.T) {
				s := newBrowserServer(t)
				v := s.visitor(t)
				code := answerOf(t, v.signIn(parameters("native", "redirect_uri", "http://127.0.0.1/back"), "ann")).Query().Get("code")
				out(t, v)
				s.Codes(t)
				a := v.do(http.MethodPost, "/oauth/token", pairs("grant_type", "authorization_code", "client_id", "native", "code", code,
					"redirect_uri", "http://127.0.0.1/back", "code_verifier", goodVerifier))
				if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"invalid_grant"`) {
					t.Errorf("%d %s", a.Status, a.Body)
				}
				v.wantCodes(audit.TokenRequestInvalidGrant)
			})
		})
	}
}
