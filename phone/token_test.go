package phone_test

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tokenserver/phone"
)

// Open comes back at once with what the function makes of the request.
func (f redirecting) Open(_ context.Context, authorizeURL, _ string) (string, error) {
	return f(authorizeURL), nil
}

// straightBack returns a browser whose user accepts everything; change may spoil the redirect.
func straightBack(change func(url.Values)) redirecting {
	return func(authorizeURL string) string {
		u, _ := url.Parse(authorizeURL)
		q := url.Values{"code": {verifierChallengeState}, "state": {u.Query().Get("state")}, "iss": {testIssuer}}
		if change != nil {
			change(q)
		}
		return u.Query().Get("redirect_uri") + "?" + q.Encode()
	}
}

// signedIn returns a phone with one user.
func signedIn(t *testing.T, api int) (*fakeServer, *phone.Phone) {
	t.Helper()
	s := newFakeServer(t)
	p := s.phone(api)
	if err := p.Register(t.Context(), "Kim's Pixel"); err != nil {
		t.Fatal(err)
	}
	tokens, err := p.SignIn(t.Context(), testProfile, testPIN, []string{"read", "write"}, straightBack(nil))
	if err != nil {
		t.Fatal(err)
	}
	if tokens.AccessToken != "AT-authorization_code" || !tokens.ExpiresAt.Equal(testNow().Add(900e9)) {
		t.Errorf("tokens %+v", tokens)
	}
	return s, p
}

func TestSignInRefusals(t *testing.T) {
	s := newFakeServer(t)
	p := s.phone(phone.APIKey)
	if err := p.Register(t.Context(), "Kim's Pixel"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		pin    string
		change func(url.Values)
		code   string
		number int
	}{
		{"weak pin", "12345", nil, "pin_sequence", phone.NumberPINSequence},
		{"other state", testPIN, func(q url.Values) { q.Set("state", "x") }, "invalid_redirect", 0},
		{"other issuer", testPIN, func(q url.Values) { q.Set("iss", "https://evil.example") }, "invalid_redirect", 0},
		{"no issuer though advertised", testPIN, func(q url.Values) { q.Del("iss") }, "invalid_redirect", 0},
		{"no code", testPIN, func(q url.Values) { q.Del("code") }, "invalid_redirect", 0},
		{"user refused", testPIN, func(q url.Values) { q.Set("error", "access_denied") }, "access_denied", phone.NumberCancelled},
		{"used code", testPIN, func(q url.Values) { q.Set("code", "used") }, "invalid_grant", 0},
	} {
		_, err := p.SignIn(t.Context(), testProfile, tc.pin, nil, straightBack(tc.change))
		if e := phone.Refused(err); e == nil || e.Code != tc.code || e.SDKNumber != tc.number {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if len(p.Profiles()) != 0 {
		t.Errorf("profiles %v", p.Profiles())
	}
}

func TestAuthorizeParameters(t *testing.T) {
	_, p := signedIn(t, phone.APIKey)
	a, err := p.Authorize(t.Context(), []string{"openid", "read"}, url.Values{"prompt": {"login"}})
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(a.URL)
	q := u.Query()
	if u.Path != "/oauth/v1/authorize" || q.Get("response_type") != "code" || q.Get("client_id") != testClientID || q.Get("scope") != "openid read" ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("nonce") != a.Nonce || a.Nonce == "" ||
		q.Get("state") != a.State || q.Get("prompt") != "login" || strings.Contains(a.URL, a.CodeVerifier) {
		t.Errorf("%s", a.URL)
	}
}

func TestRefreshAndPIN(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	for range 2 {
		if tokens, err := p.Refresh(t.Context(), testProfile, testPIN); err != nil || tokens.AccessToken != "AT-refresh_token" {
			t.Fatalf("%+v, %v", tokens, err)
		}
	}
	_, err := p.Refresh(t.Context(), testProfile, "48214")
	if e := phone.Refused(err); e == nil || e.Code != "invalid_grant" || e.Remaining == nil || *e.Remaining != 2 {
		t.Errorf("wrong pin: %v", err)
	}
	if got := s.grants[len(s.grants)-1].Get("refresh_token"); len(got) != 64 || got == s.token || strings.ToUpper(got) != got {
		t.Errorf("a wrong PIN must send another well-formed token, not %q", got)
	}
	if e := phone.Refused(p.ChangePIN(t.Context(), testProfile, testPIN, "11111")); e == nil || e.SDKNumber != phone.NumberPINSimilarDigits {
		t.Errorf("weak new pin: %v", e)
	}
	if err := p.ChangePIN(t.Context(), testProfile, testPIN, "90210"); err != nil {
		t.Fatal(err)
	}
	if token, err := p.Unmask(testProfile, "90210"); err != nil || token != s.token {
		t.Errorf("unmask with the new pin: %v", err)
	}
	for want := 2; want >= 0; want-- {
		_, err := p.Refresh(t.Context(), testProfile, testPIN)
		if e := phone.Refused(err); e == nil || e.Remaining == nil || *e.Remaining != want {
			t.Fatalf("old pin: %v, want %d remaining", err, want)
		}
	}
	if len(p.Profiles()) != 0 {
		t.Error("at zero the phone must forget the profile")
	}
	if e := phone.Refused(second(p.Refresh(t.Context(), testProfile, "90210"))); e == nil || e.SDKNumber != phone.NumberNotAuthenticated {
		t.Errorf("removed profile: %v", e)
	}
}

func TestRefreshInParallelKeepsOneSuccessor(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	s.maxPIN = 1000 // the losers of this simple server look like wrong PINs
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = p.Refresh(t.Context(), testProfile, testPIN) })
	}
	wg.Wait()
	token, err := p.Unmask(testProfile, testPIN)
	if err != nil || token == vectorToken || len(token) != 64 {
		t.Errorf("stored %q, %v", token, err)
	}
}

func TestFingerprint(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	if err := p.EnableFingerprint(t.Context(), testProfile, testPIN); err != nil {
		t.Fatal(err)
	}
	if token, err := p.FingerprintToken(testProfile); err != nil || token != strings.Repeat("F1", 32) {
		t.Errorf("fingerprint token: %v", err)
	}
	if token, err := p.Unmask(testProfile, testPIN); err != nil || token != s.token {
		t.Errorf("the rotated token must be under the PIN: %v", err)
	}
	p.SetFingerprintToken(testProfile, strings.Repeat("00", 32))
	_, err := p.RefreshWithFingerprint(t.Context(), testProfile)
	if e := phone.Refused(err); e == nil || e.Code != "invalid_grant" {
		t.Errorf("wrong fingerprint token: %v", err)
	}
	if got := s.grants[len(s.grants)-1].Get("refresh_token_type"); got != "FINGER_PRINT" {
		t.Errorf("refresh_token_type %q", got)
	}
	if _, err := p.FingerprintToken(testProfile); err == nil {
		t.Error("a refused fingerprint token must be dropped")
	}
}

func TestRevocations(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	ctx := t.Context()
	for _, err := range []error{
		p.Logout(ctx, testProfile), p.DropRefreshToken(ctx, testProfile, testPIN), p.DisableFingerprint(ctx, testProfile),
		p.DisableAllFingerprints(ctx), p.EndSessions(ctx, testProfile), p.RemoveProfile(ctx, testProfile), p.Disconnect(ctx),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{
		"revoke?token=AT-authorization_code&token_type_hint=access_token", "revoke?profile_id=QW4RTY&token=" + vectorToken + "&token_type_hint=refresh_token",
		"revoke/profile/tokens?profile_id=QW4RTY&token_type=FINGER_PRINT", "revoke/client?token_type=FINGER_PRINT",
		"revoke/profile/tokens?profile_id=QW4RTY", "revoke/profile?profile_id=QW4RTY", "revoke/client?",
	}
	if strings.Join(s.revoked, "\n") != strings.Join(want, "\n") {
		t.Errorf("calls %q", s.revoked)
	}
	if e := phone.Refused(p.Logout(ctx, testProfile)); e == nil || e.SDKNumber != phone.NumberNotAuthenticated {
		t.Errorf("second logout: %v", e)
	}
}

func TestSaveAndLoad(t *testing.T) {
	for _, api := range []int{phone.APISecret, phone.APIKey} {
		s, p := signedIn(t, api)
		if err := p.Enroll(t.Context(), testProfile, "push-token-1"); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "phone.json")
		if err := p.Save(path); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		for _, secret := range []string{testPIN, vectorToken, strings.ToLower(vectorToken)} {
			if bytes.Contains(data, []byte(`"`+secret+`"`)) {
				t.Errorf("the file holds %q", secret)
			}
		}
		again, err := phone.Load(path, phone.Options{Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Refresh(t.Context(), testProfile, testPIN); err != nil {
			t.Errorf("refresh after load: %v", err)
		}
		if m, err := again.Fetch(t.Context(), vectorTransaction, testProfile); err != nil || m.Text != "Sign in?" {
			t.Errorf("fetch after load: %+v, %v", m, err)
		}
		if got := again.PushToken(testProfile); got != "push-token-1" || s.token == vectorToken {
			t.Errorf("push token %q", got)
		}
	}
	broken := filepath.Join(t.TempDir(), "broken.json")
	for _, content := range []string{"", "{}", `{"app":{"base_url":"http://x/oauth"},"hardware_secret":"00"}`} {
		if err := os.WriteFile(broken, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := phone.Load(broken, phone.Options{Now: testNow}); err == nil {
			t.Errorf("%q: no error", content)
		}
	}
}

func TestNewProfileID(t *testing.T) {
	seen := make(map[string]bool)
	for range 50 {
		id := phone.NewProfileID()
		if len(id) != 6 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || seen[id] {
			t.Errorf("%q", id)
		}
		seen[id] = true
	}
}

func TestImplicitAuthentication(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	tokens, err := p.ImplicitAuthentication(t.Context(), testProfile, "read", "profile")
	if err != nil || tokens.AccessToken != "AT-implicit" {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if got := s.grants[len(s.grants)-1]; got.Get("scope") != "read profile" || got.Get("profile_id") != testProfile || got.Has("refresh_token") {
		t.Errorf("request %v", got)
	}
	if running, err := p.AccessToken(testProfile); err != nil || running == tokens.AccessToken {
		t.Errorf("the running session: %q, %v", running, err)
	}
}
