package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

// textMessages is an SMS gateway that keeps what it is told to send.
type textMessages struct {
	mu    sync.Mutex
	to    []string
	texts []string
	codes []string // for gateways that write texts of their own
	err   error
}

func (m *textMessages) Send(_ context.Context, to, text, code string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.to, m.texts, m.codes = append(m.to, to), append(m.texts, text), append(m.codes, code)
	return nil
}

var codeInText = regexp.MustCompile(`^(\d{6}) `)

// code returns the code of the last message.
func (m *textMessages) code(t *testing.T) string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.texts) == 0 {
		t.Fatal("no message was sent")
	}
	found := codeInText.FindStringSubmatch(m.texts[len(m.texts)-1])
	if found == nil {
		t.Fatalf("no code in %q", m.texts[len(m.texts)-1])
	}
	if beside := m.codes[len(m.codes)-1]; beside != found[1] {
		t.Errorf("%q is beside the code %q", beside, found[1])
	}
	return found[1]
}

// wrong returns a code that was not sent.
func (m *textMessages) wrong(t *testing.T) string {
	t.Helper()
	if m.code(t) == "000000" {
		return "000001"
	}
	return "000000"
}

// badNumber is how a gateway says that a number is none.
type badNumber struct{}

func (badNumber) Error() string       { return "no such number" }
func (badNumber) InvalidNumber() bool { return true }

// stepping returns a server whose web client wants a text message besides the sign-in.
func stepping(t *testing.T) (*browserServer, *textMessages) {
	t.Helper()
	s := newBrowserServer(t)
	for i := range s.document.WebClients {
		if s.document.WebClients[i].ID == "web" {
			s.document.WebClients[i].AdditionalAuthentication = settings.AdditionalSMS
		}
	}
	s.document.OAuth.SMSLevel, s.document.OAuth.AuthenticationEndpoint = 2, "https://step.example/up"
	s.Settings.Set(s.document)
	messages := &textMessages{}
	s.browser.SMS = messages
	return s, messages
}

// atStepUp returns a browser in front of the page.
func atStepUp(t *testing.T, s *browserServer, change ...string) (*visitor, audittest.Answer) {
	t.Helper()
	v := s.visitor(t)
	page := v.signIn(parameters("web", change...), "ann", "attribute.phoneNumber", "+31612345678")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "ending in 78") {
		t.Fatalf("step-up page: %d %s", page.Status, page.Body)
	}
	v.wantCodes(audit.SMSAuthInitMessageSent)
	return v, page
}

func (v *visitor) typeCode(page audittest.Answer, change ...string) audittest.Answer {
	v.t.Helper()
	return v.do(http.MethodPost, "/oauth/sms-step-up", formOf(page, change...))
}

func TestStepUp(t *testing.T) {
	s, messages := stepping(t)
	v, page := atStepUp(t, s, "scope", "read openid", "redirect_uri", "https://web.example/back")
	if len(messages.to) != 1 || messages.to[0] != "+31612345678" {
		t.Errorf("sent to %v", messages.to)
	}
	want := messages.code(t) + " is your code for The Web. Do not share it with anybody.\n\n@ts.example #" + messages.code(t)
	if messages.texts[0] != want {
		t.Errorf("sent %q, want %q", messages.texts[0], want)
	}
	if token := formOf(page).Get("csrfToken"); len(token) != 320 {
		t.Errorf("form token of %d characters", len(token))
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://web.example https://step.example") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(page.Body, "612345") || strings.Contains(page.Body, messages.code(t)) {
		t.Error("the page shows the number or the code")
	}
	again := v.get("/oauth/sms-step-up?t=" + formOf(page).Get("t"))
	if again.Status != http.StatusOK || len(messages.to) != 1 {
		t.Errorf("%d, %d messages: the page alone sends nothing", again.Status, len(messages.to))
	}
	v.wantCodes()

	code := messages.code(t)
	a := v.typeCode(again, "code", " "+code[:3]+" "+code[3:])
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/oauth/authorize/continue") {
		t.Fatalf("%d %s %s", a.Status, a.Header.Get("Location"), a.Body)
	}
	v.wantCodes(audit.SMSAuthAuthenticated)
	a = v.follow(a)
	v.wantCodes(audit.AuthzRequestGrantCreated)
	claims := s.redeem(t, a, "redirect_uri", "https://web.example/back").claims
	if amr := fmt.Sprint(claims["amr"]); amr != "[pwd sms]" || claims["acr"] != "urn:onegini.com:oidc:authentication_level:2" {
		t.Errorf("amr %v, acr %v", amr, claims["acr"])
	}

	t.Run("the session knows", func(t *testing.T) {
		a := v.follow(v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode()))
		if q := answerOf(t, a).Query(); !q.Has("code") || len(messages.to) != 1 {
			t.Errorf("%v, %d messages", q, len(messages.to))
		}
		v.wantCodes(audit.AuthzRequestGrantCreated)
	})
	t.Run("until the next sign-in", func(t *testing.T) {
		page := v.signIn(parameters("web", "prompt", "login"), "ann")
		if page.Status != http.StatusOK || len(messages.to) != 2 {
			t.Errorf("%d, %d messages", page.Status, len(messages.to))
		}
		v.wantCodes(audit.SMSAuthInitMessageSent)
	})
	t.Run("used form", func(t *testing.T) {
		if a := v.typeCode(again, "code", code); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		v.wantCodes(audit.SMSStepUpCSRFInvalid)
	})
}

// TestStepUpReachesLevel: a text message takes the place of a sign-in at a higher level, as far as it goes.
func TestStepUpReachesLevel(t *testing.T) {
	for _, tc := range []struct {
		name     string
		smsLevel int
		query    []string
		reached  bool
	}{
		{"exactly", 3, []string{"scope", "pay"}, true},
		{"higher", 4, []string{"scope", "pay"}, true},
		{"not high enough", 2, []string{"scope", "pay"}, false},
		{"essential acr", 3, []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"urn:onegini.com:oidc:authentication_level:3"}}}`}, true},
		{"another essential acr", 3, []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := levels(t, func(d *settings.Document) { d.OAuth.SMSLevel = tc.smsLevel })
			messages := &textMessages{}
			s.browser.SMS = messages
			v := s.visitor(t)
			a := v.signIn(parameters("web", tc.query...), "ann", "attribute.phoneNumber", "+31612345678", "level", "1")
			if !tc.reached {
				if len(messages.to) != 0 {
					t.Errorf("%d messages", len(messages.to))
				}
				if q := answerOf(t, a).Query(); q.Get("error") == "" {
					t.Errorf("%v", q)
				}
				v.wantCodes(audit.AuthzRequestAuthenticationLvlInsufficient)
				return
			}
			v.wantCodes(audit.SMSAuthInitMessageSent)
			a = v.follow(v.typeCode(a, "code", messages.code(t)))
			if q := answerOf(t, a).Query(); !q.Has("code") {
				t.Errorf("%v", q)
			}
			v.wantCodes(audit.SMSAuthAuthenticated, audit.AuthzRequestGrantCreated)
		})
	}
	t.Run("there is no gateway", func(t *testing.T) {
		s := levels(t, func(d *settings.Document) { d.OAuth.SMSLevel = 3 })
		v := s.visitor(t)
		a := v.signIn(parameters("web", "scope", "pay"), "ann", "attribute.phoneNumber", "+31612345678")
		if q := answerOf(t, a).Query(); q.Get("error") != "access_denied" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthzRequestAuthenticationLvlInsufficient)
	})
}

func TestStepUpCannotSend(t *testing.T) {
	for _, tc := range []struct {
		name  string
		said  []string
		err   error
		none  bool
		error string
		audit audit.Code
	}{
		{name: "no number", error: "access_denied", audit: audit.SMSAuthInitFailurePhoneNumberInvalidOrMissing},
		{name: "blank number", said: []string{"attribute.phoneNumber", "  "}, error: "access_denied", audit: audit.SMSAuthInitFailurePhoneNumberInvalidOrMissing},
		{name: "long number", said: []string{"attribute.phoneNumber", strings.Repeat("1", 65)}, error: "access_denied", audit: audit.SMSAuthInitFailurePhoneNumberInvalidOrMissing},
		{name: "bad number", said: []string{"attribute.phone_number", "+0"}, err: fmt.Errorf("send: %w", badNumber{}), error: "access_denied", audit: audit.SMSAuthInitFailurePhoneNumberInvalidOrMissing},
		{name: "gateway", said: []string{"attribute.phoneNumber", "+31612345678"}, err: errors.New("down"), error: "temporarily_unavailable", audit: audit.SMSAuthInitFailureFailedToSendSMS},
		{name: "no gateway", said: []string{"attribute.phoneNumber", "+31612345678"}, none: true, error: "temporarily_unavailable", audit: audit.SMSAuthInitFailureFailedToSendSMS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, messages := stepping(t)
			messages.err = tc.err
			if tc.none {
				s.browser.SMS = nil
			}
			v := s.visitor(t)
			a := v.signIn(parameters("web"), "ann", tc.said...)
			if q := answerOf(t, a).Query(); q.Get("error") != tc.error || q.Get("state") != "s1" {
				t.Errorf("%v", q)
			}
			v.wantCodes(tc.audit)
		})
	}
	t.Run("silently", func(t *testing.T) {
		s, messages := stepping(t)
		v, _ := atStepUp(t, s)
		a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "interaction_required" || len(messages.to) != 1 {
			t.Errorf("%v, %d messages", q, len(messages.to))
		}
		v.wantCodes(audit.AuthnRequestInteractionRequired)
	})
}

func TestStepUpWrongCode(t *testing.T) {
	s, messages := stepping(t)
	v, page := atStepUp(t, s)
	for range 2 {
		page = v.typeCode(page, "code", messages.wrong(t))
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "The code is not correct") {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		v.wantCodes(audit.SMSStepUpCodeInvalid)
	}
	a := v.typeCode(page, "code", messages.wrong(t))
	if q := answerOf(t, a).Query(); a.Status != http.StatusSeeOther || q.Get("error") != "access_denied" {
		t.Errorf("%d %v", a.Status, q)
	}
	v.wantCodes(audit.SMSStepUpCodeInvalid)
	if a := v.typeCode(page, "code", messages.code(t)); a.Status != http.StatusBadRequest {
		t.Errorf("the right code after the limit: %d", a.Status)
	}
	v.wantCodes(audit.SMSStepUpCSRFInvalid)

	t.Run("then the right one", func(t *testing.T) {
		v, page := atStepUp(t, s)
		page = v.typeCode(page, "code", messages.wrong(t))
		page = v.typeCode(page, "code", "")
		v.wantCodes(audit.SMSStepUpCodeInvalid, audit.SMSStepUpCodeInvalid)
		a := v.follow(v.typeCode(page, "code", messages.code(t)))
		if q := answerOf(t, a).Query(); !q.Has("code") {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.SMSAuthAuthenticated, audit.AuthzRequestGrantCreated)
	})
	t.Run("too late", func(t *testing.T) {
		v, page := atStepUp(t, s)
		s.Clock.Advance(5*time.Minute - time.Second)
		page = v.get("/oauth/sms-step-up?t=" + formOf(page).Get("t"))
		s.Clock.Advance(time.Second)
		a := v.typeCode(page, "code", messages.code(t))
		if q := answerOf(t, a).Query(); q.Get("error") != "access_denied" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.SMSStepUpCodeInvalid)
	})
	t.Run("of another sign-in", func(t *testing.T) {
		_, _ = atStepUp(t, s)
		first := messages.code(t)
		v, page := atStepUp(t, s)
		if first == messages.code(t) {
			t.Skip("the same code by chance")
		}
		if a := v.typeCode(page, "code", first); a.Status != http.StatusOK {
			t.Errorf("%d", a.Status)
		}
		v.wantCodes(audit.SMSStepUpCodeInvalid)
	})
}

// TestStepUpGuessesOfOneUser: who begins one sign-in after another gets no more tries, no message, and no code at last.
func TestStepUpGuessesOfOneUser(t *testing.T) {
	s, messages := stepping(t)
	v, waiting := atStepUp(t, s)
	right := messages.code(t)
	for range 4 {
		page := v.get("/oauth/authorize?" + parameters("web").Encode())
		page = v.follow(page)
		for range 3 {
			if page.Status != http.StatusOK {
				break
			}
			page = v.typeCode(page, "code", "nonsense")
		}
	}
	s.Codes(t)
	if q := answerOf(t, v.typeCode(waiting, "code", right)).Query(); q.Get("error") != "access_denied" {
		t.Errorf("%v", q)
	}
	v.wantCodes(audit.SMSStepUpCodeInvalid)
	sent := len(messages.to)
	if q := answerOf(t, v.follow(v.get("/oauth/authorize?"+parameters("web").Encode()))).Query(); q.Get("error") != "access_denied" || len(messages.to) != sent {
		t.Errorf("%v, %d messages after %d", q, len(messages.to), sent)
	}
	v.wantCodes(audit.SMSStepUpCodeInvalid)
	other := s.visitor(t)
	if page := other.signIn(parameters("web"), "bob", "attribute.phoneNumber", "+31612345679"); page.Status != http.StatusOK {
		t.Errorf("another user: %d %s", page.Status, page.Body)
	}
}

// TestStepUpGuessesAtOnce: of many guesses at the same time three count, and the right one cannot be among them twice.
func TestStepUpGuessesAtOnce(t *testing.T) {
	s, messages := stepping(t)
	v, page := atStepUp(t, s)
	right := messages.code(t)
	var group sync.WaitGroup
	answers := make([]audittest.Answer, 30)
	header := http.Header{}
	for name, value := range v.cookies {
		header.Add("Cookie", name+"="+value)
	}
	header.Set("Cookie", strings.Join(header["Cookie"], "; "))
	for i := range answers {
		group.Go(func() {
			form := formOf(page, "code", right)
			answers[i] = audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/sms-step-up", Form: form, Header: header})
		})
	}
	group.Wait()
	won := 0
	for _, a := range answers {
		if strings.HasPrefix(a.Header.Get("Location"), "/oauth/authorize/continue") {
			won++
		}
	}
	codes := s.Codes(t)
	if n := count(codes, audit.SMSAuthAuthenticated); n != 1 {
		t.Errorf("%d times authenticated, %d sent on: %v", n, won, codes)
	}
}

func count(codes []audit.Code, of audit.Code) int {
	n := 0
	for _, c := range codes {
		if c == of {
			n++
		}
	}
	return n
}

func TestStepUpResend(t *testing.T) {
	s, messages := stepping(t)
	v, page := atStepUp(t, s)
	first := messages.code(t)

	page = v.typeCode(page, "action", "resend")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "wait half a minute") || len(messages.to) != 1 {
		t.Fatalf("too soon: %d, %d messages: %s", page.Status, len(messages.to), page.Body)
	}
	v.wantCodes(audit.SMSResendFailed)

	s.Clock.Advance(30 * time.Second)
	messages.err = errors.New("down")
	page = v.typeCode(page, "action", "resend")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "could not be sent again") {
		t.Fatalf("gateway: %d %s", page.Status, page.Body)
	}
	v.wantCodes(audit.SMSResendFailed)
	messages.err = nil

	s.Clock.Advance(30 * time.Second)
	page = v.typeCode(page, "action", "resend")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "Another code is on its way") || len(messages.to) != 2 {
		t.Fatalf("%d, %d messages: %s", page.Status, len(messages.to), page.Body)
	}
	v.wantCodes(audit.SMSResendSucceeded)
	if strings.Contains(page.Body, `value="resend"`) {
		t.Error("a fourth message is offered")
	}

	s.Clock.Advance(30 * time.Second)
	page = v.typeCode(page, "action", "resend")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "No further code") || len(messages.to) != 2 {
		t.Fatalf("limit: %d, %d messages", page.Status, len(messages.to))
	}
	v.wantCodes(audit.SMSResendFailed)

	if first != messages.code(t) {
		page = v.typeCode(page, "code", first)
		if page.Status != http.StatusOK {
			t.Fatalf("the first code: %d", page.Status)
		}
		v.wantCodes(audit.SMSStepUpCodeInvalid)
	}
	v.follow(v.typeCode(page, "code", messages.code(t)))
	v.wantCodes(audit.SMSAuthAuthenticated, audit.AuthzRequestGrantCreated)
}

// TestStepUpResendFails: when another message cannot be sent, the code before still works.
func TestStepUpResendFails(t *testing.T) {
	s, messages := stepping(t)
	v, page := atStepUp(t, s)
	code := messages.code(t)
	s.Clock.Advance(30 * time.Second)
	messages.err = errors.New("down")
	page = v.typeCode(page, "action", "resend")
	v.wantCodes(audit.SMSResendFailed)
	v.follow(v.typeCode(page, "code", code))
	v.wantCodes(audit.SMSAuthAuthenticated, audit.AuthzRequestGrantCreated)
}

// TestStepUpForgery: nothing but the form of the last page, in time and from its browser, counts; the code stays good.
func TestStepUpForgery(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change []string
		wait   time.Duration
	}{
		{name: "no token", change: []string{"csrfToken", ""}},
		{name: "another token", change: []string{"csrfToken", strings.Repeat("0", 320)}},
		{name: "too late", wait: 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, messages := stepping(t)
			v, page := atStepUp(t, s)
			s.Clock.Advance(tc.wait)
			at := "/oauth/sms-step-up?t=" + formOf(page).Get("t")
			a := v.typeCode(page, append(tc.change, "code", messages.code(t))...)
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != at+"&again=1" {
				t.Fatalf("%d %s", a.Status, a.Header.Get("Location"))
			}
			v.wantCodes(audit.SMSStepUpCSRFInvalid)
			fresh := v.follow(a)
			if !strings.Contains(fresh.Body, "enter the code again") || len(messages.to) != 1 {
				t.Errorf("fresh page, %d messages: %s", len(messages.to), fresh.Body)
			}
			if tc.wait > 0 {
				return
			}
			if a := v.typeCode(page, "code", messages.code(t)); a.Status != http.StatusSeeOther || !strings.Contains(a.Header.Get("Location"), "again=1") {
				t.Errorf("the page before still counts: %d %s", a.Status, a.Header.Get("Location"))
			}
			v.wantCodes(audit.SMSStepUpCSRFInvalid)
			v.follow(v.typeCode(v.get(at), "code", messages.code(t)))
			v.wantCodes(audit.SMSAuthAuthenticated, audit.AuthzRequestGrantCreated)
		})
	}
	t.Run("another browser", func(t *testing.T) {
		s, messages := stepping(t)
		_, page := atStepUp(t, s)
		stranger := s.visitor(t)
		if a := stranger.typeCode(page, "code", messages.code(t)); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		stranger.wantCodes(audit.SMSStepUpCSRFInvalid)
		if a := stranger.get("/oauth/sms-step-up?t=" + formOf(page).Get("t")); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		stranger.wantCodes(audit.AuthzRequestInvalid)
	})
	t.Run("not a form", func(t *testing.T) {
		s, _ := stepping(t)
		a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/sms-step-up", JSON: `{}`})
		if a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		wantCodes(t, s, audit.SMSStepUpCSRFInvalid)
	})
	t.Run("before its turn", func(t *testing.T) {
		s, messages := stepping(t)
		v := s.visitor(t)
		at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
		id := strings.TrimPrefix(at, "/oauth/door?t=")
		if a := v.get("/oauth/sms-step-up?t=" + id); a.Status != http.StatusFound || a.Header.Get("Location") != "/oauth/authorize/continue?t="+id || len(messages.to) != 0 {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
		if a := v.get("/oauth/consent?t=" + id); a.Status != http.StatusFound || a.Header.Get("Location") != "/oauth/authorize/continue?t="+id {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
		a := v.do(http.MethodPost, "/oauth/sms-step-up", url.Values{"t": {id}, "csrfToken": {"x"}, "code": {"000000"}})
		if a.Status != http.StatusSeeOther {
			t.Errorf("%d", a.Status)
		}
		v.wantCodes(audit.SMSStepUpCSRFInvalid)
	})
	t.Run("consent cannot jump the queue", func(t *testing.T) {
		s, messages := stepping(t)
		i := slices.IndexFunc(s.document.WebClients, func(c settings.WebClient) bool { return c.ID == "web" })
		s.document.WebClients[i].SkipConsent = false
		s.Settings.Set(s.document)
		v, page := atStepUp(t, s)
		if a := v.get("/oauth/consent?t=" + formOf(page).Get("t")); a.Status != http.StatusFound || !strings.HasPrefix(a.Header.Get("Location"), "/oauth/authorize/continue") {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
		a := v.follow(v.typeCode(page, "code", messages.code(t)))
		if !strings.Contains(a.Body, "asks for access") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		v.wantCodes(audit.SMSAuthAuthenticated)
	})
}
