package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

func TestUserCodePage(t *testing.T) {
	const path = "/oauth/device_authorization/verification"
	t.Run("form of another browser", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		mine, other := s.visitor(t), s.visitor(t)
		form := formOf(mine.get(path), "user_code", d.UserCode)
		other.get(path)
		for name, v := range map[string]*visitor{"other": other, "without cookie": s.visitor(t)} {
			a := v.do(http.MethodPost, path, form)
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != path+"?again=1&user_code="+d.UserCode {
				t.Errorf("%s: %d %v", name, a.Status, a.Header)
			}
			wantCodes(t, s, audit.CSRFInvalid)
		}
		if page := other.get(path + "?again=1&user_code=" + d.UserCode); !strings.Contains(page.Body, "open for too long") {
			t.Errorf("page %s", page.Body)
		}
	})
	t.Run("wrong codes", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		v := s.visitor(t)
		for i, code := range []string{"BBBBBBBB", "<b>", "AAAAAAAA", d.UserCode[:7], strings.Repeat("B", 300)} {
			a := v.enter(code)
			if a.Status != 200 || !strings.Contains(a.Body, "No device is waiting") || strings.Contains(a.Body, "<b>") {
				t.Errorf("%d: %d %s", i, a.Status, a.Body)
			}
			v.wantCodes(audit.DeviceAuthzUserCodeInvalid)
		}
		for i, want := range [][]audit.Code{{audit.RateLimitExceeded}, {}} {
			a := v.enter(d.UserCode)
			if a.Status != http.StatusTooManyRequests || !strings.Contains(a.Body, "10 min") || a.Header.Get("Retry-After") != "600" {
				t.Errorf("locked %d: %d %s", i, a.Status, a.Body)
			}
			v.wantCodes(want...)
		}
		if a := s.visitor(t).enter(d.UserCode); a.Status != http.StatusTooManyRequests {
			t.Errorf("another browser of the network: %d", a.Status)
		}
		v.wantCodes(audit.RateLimitExceeded)
		s.Clock.Advance(10 * time.Minute)
		fresh := s.startDevice(t)
		if a := v.enter(fresh.UserCode); a.Status != http.StatusSeeOther {
			t.Errorf("after the lock: %d %s", a.Status, a.Body)
		}
	})
	t.Run("expired code", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		s.Clock.Advance(10 * time.Minute)
		if a := s.visitor(t).enter(d.UserCode); a.Status != 200 || !strings.Contains(a.Body, "The code has expired") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s)
	})
	t.Run("grant switched off meanwhile", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		for i := range s.document.WebClients {
			s.document.WebClients[i].Grants = []settings.Grant{settings.AuthorizationCode}
		}
		s.Settings.Set(s.document)
		if a := s.visitor(t).enter(d.UserCode); a.Status != 400 || !strings.Contains(a.Body, "unauthorized_client") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	})
	t.Run("expired while signing in", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		v := s.visitor(t)
		a := v.get(v.enter(d.UserCode).Header.Get("Location"))
		s.Clock.Advance(10 * time.Minute)
		page := v.follow(v.get(a.Header.Get("Location") + "&user=ann"))
		a = v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept"))
		if a.Status != 200 || !strings.Contains(a.Body, "The code has expired") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s, audit.ConsentGiven)
	})
	t.Run("denied", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		v := s.visitor(t)
		a := v.get(v.enter(d.UserCode).Header.Get("Location"))
		page := v.follow(v.get(a.Header.Get("Location") + "&user=ann"))
		a = v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "deny"))
		if a.Status != 200 || !strings.Contains(a.Body, "The device was not connected") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		wantCodes(t, s, audit.ConsentDenied)
	})
	t.Run("two people, one device", func(t *testing.T) {
		s := newDeviceServer(t)
		d := s.startDevice(t)
		var pages []audittest.Answer
		var people []*visitor
		for _, user := range []string{"ann", "bob"} {
			v := s.visitor(t)
			a := v.get(v.enter(d.UserCode).Header.Get("Location"))
			people, pages = append(people, v), append(pages, v.follow(v.get(a.Header.Get("Location")+"&user="+user)))
		}
		first := people[0].do(http.MethodPost, "/oauth/consent", formOf(pages[0], "decision", "accept"))
		second := people[1].do(http.MethodPost, "/oauth/consent", formOf(pages[1], "decision", "accept"))
		if !strings.Contains(first.Body, "is connected") || !strings.Contains(second.Body, "was used already") {
			t.Errorf("%s %s", first.Body, second.Body)
		}
		wantCodes(t, s, audit.ConsentGiven, audit.AuthzRequestDeviceGrantCreated, audit.ConsentGiven)
	})
}
