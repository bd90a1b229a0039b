package phone_test

import (
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/phone"
)

// enrolled returns a phone with one enrolled user.
func enrolled(t *testing.T, api int) (*fakeServer, *phone.Phone) {
	t.Helper()
	s, p := signedIn(t, api)
	if err := p.Enroll(t.Context(), testProfile, "push-token-1"); err != nil {
		t.Fatal(err)
	}
	return s, p
}

func fetched(t *testing.T, p *phone.Phone) *phone.Message {
	t.Helper()
	m, err := p.Fetch(t.Context(), vectorTransaction, testProfile)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEnrollNeedsASession(t *testing.T) {
	s := newFakeServer(t)
	p := s.phone(phone.APIKey)
	if e := phone.Refused(p.Enroll(t.Context(), testProfile, "")); e == nil || e.SDKNumber != phone.NumberNotAuthenticated {
		t.Errorf("%v", e)
	}
	_, err := p.Fetch(t.Context(), vectorTransaction, testProfile)
	if err == nil {
		t.Error("fetch without enrollment: no error")
	}
}

func TestAFailedEnrollmentKeepsTheOldKeys(t *testing.T) {
	s, p := enrolled(t, phone.APIKey)
	sign, enc := s.sign, s.enc
	begun, err := p.BeginEnrollment(t.Context(), testProfile, "push-token-1")
	if err != nil {
		t.Fatal(err)
	}
	begun.Challenge = "stale"
	if e := phone.Refused(begun.FetchKeys(t.Context())); e == nil || e.Code != "invalid_request" {
		t.Errorf("%v", e)
	}
	s.sign, s.enc = sign, enc
	if m := fetched(t, p); m.Text != "Sign in?" {
		t.Errorf("message %+v", m)
	}
}

func TestUpdatePushTokenAndPending(t *testing.T) {
	s, p := enrolled(t, phone.APIKey)
	if err := p.UpdatePushToken(t.Context(), "push-token-1", "push-token-2"); err != nil || p.PushToken(testProfile) != "push-token-2" {
		t.Errorf("%v, token %s", err, p.PushToken(testProfile))
	}
	list, err := p.Pending(t.Context())
	if err != nil || len(list) != 1 || list[0].TransactionID != vectorTransaction || list[0].ProfileID != testProfile {
		t.Errorf("%+v, %v", list, err)
	}
	asked := 0
	for _, grant := range s.grants {
		if grant.Get("grant_type") == "client_credentials" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("%d client tokens, want one that is kept", asked)
	}
}

func TestFetchRepeatsTheIdenticalProof(t *testing.T) {
	s, p := enrolled(t, phone.APIKey)
	s.cut = 1
	fetched(t, p)
	if len(s.proofs) != 2 || s.proofs[0] != s.proofs[1] {
		t.Errorf("%d proofs, identical %v", len(s.proofs), len(s.proofs) == 2 && s.proofs[0] == s.proofs[1])
	}
}

func TestFetchRefusals(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	_, err := p.Fetch(t.Context(), "another", testProfile)
	if e := phone.Refused(err); e == nil || e.SDKNumber != phone.NumberTransactionNotFound || e.ErrorCode != "1006" {
		t.Errorf("%v", err)
	}
}

func TestOpenMessageRefuses(t *testing.T) {
	s, p := enrolled(t, phone.APIKey)
	stranger, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	good := func(change func(jwt.MapClaims)) string {
		claims := s.messageClaims()
		change(claims)
		return s.seal(claims, s.server[1], phone.TypeMessage, "srv-sig-1")
	}
	if _, err := p.OpenMessage(testProfile, good(func(jwt.MapClaims) {})); err != nil {
		t.Fatalf("good: %v", err)
	}
	for name, message := range map[string]string{
		"signed by a stranger": s.seal(s.messageClaims(), stranger, phone.TypeMessage, "srv-sig-1"),
		"another kid":          s.seal(s.messageClaims(), s.server[1], phone.TypeMessage, "srv-sig-0"),
		"another type":         s.seal(s.messageClaims(), s.server[1], phone.TypeAnswer, "srv-sig-1"),
		"another issuer":       good(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }),
		"another enrollment":   good(func(c jwt.MapClaims) { c["aud"] = "other" }),
		"another profile":      good(func(c jwt.MapClaims) { c["user"] = "OTHER1" }),
		"expired":              good(func(c jwt.MapClaims) { c["exp"] = testNow().Unix() - 1 }),
		"no expiry":            good(func(c jwt.MapClaims) { delete(c, "exp") }),
		"not encrypted":        strings.Repeat("a.", 2) + "a",
	} {
		if m, err := p.OpenMessage(testProfile, message); err == nil {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, api := range []int{phone.APISecret, phone.APIKey} {
		s, p := enrolled(t, api)
		m := fetched(t, p)
		result, err := p.Accept(t.Context(), m, testPIN)
		if err != nil || result.Result != "authenticated" {
			t.Fatalf("%+v, %v", result, err)
		}
		if again, err := p.Resend(t.Context(), m); err != nil || again.Result != "authenticated" || s.answers[0] != s.answers[1] {
			t.Errorf("resend: %+v, %v", again, err)
		}
		if result, err := p.Deny(t.Context(), fetched(t, p)); err != nil || result.Result != "denied" {
			t.Errorf("deny: %+v, %v", result, err)
		}
		if result, err := p.AcceptPlain(t.Context(), fetched(t, p)); err != nil || result.Result != "authenticated" {
			t.Errorf("plain: %+v, %v", result, err)
		}
		s.version2 = true
		m = fetched(t, p)
		if m.SigningData != vectorSigningData || m.AnswerVersion != 2 {
			t.Errorf("message %+v", m)
		}
		if result, err := p.Accept(t.Context(), m, testPIN); err != nil || result.Result != "authenticated" {
			t.Errorf("signed: %+v, %v", result, err)
		}
	}
}

func TestAnswerWithWrongPIN(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	m := fetched(t, p)
	_, err := p.Accept(t.Context(), m, "48214")
	if e := phone.Refused(err); e == nil || e.Code != "invalid_refresh_token" || *e.Remaining != 2 || *e.Used != 1 || *e.Max != 3 {
		t.Fatalf("%v", err)
	}
	if m.Challenge != "c2" || *m.RemainingAttempts != 2 {
		t.Errorf("message %+v", m)
	}
	if result, err := p.Accept(t.Context(), m, testPIN); err != nil || result.Result != "authenticated" {
		t.Errorf("second try: %+v, %v", result, err)
	}
}

func TestAnswerAtThePINLimit(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	m := fetched(t, p)
	for want := 2; want > 0; want-- {
		if e := phone.Refused(second(p.Accept(t.Context(), m, "48214"))); e == nil || *e.Remaining != want {
			t.Fatalf("%v, want %d remaining", e, want)
		}
	}
	_, err := p.Accept(t.Context(), m, "48214")
	if e := phone.Refused(err); e == nil || e.Code != "user_revoked" || e.SDKNumber != phone.NumberUserDeregistered || len(p.Profiles()) != 0 {
		t.Errorf("%v, profiles %v", err, p.Profiles())
	}
}

func TestAnswerWithFingerprint(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	if err := p.EnableFingerprint(t.Context(), testProfile, testPIN); err != nil {
		t.Fatal(err)
	}
	if result, err := p.AcceptWithFingerprint(t.Context(), fetched(t, p)); err != nil || result.Result != "authenticated" {
		t.Errorf("%+v, %v", result, err)
	}
	p.SetFingerprintToken(testProfile, "WRONG")
	m := fetched(t, p)
	_, err := p.AcceptWithFingerprint(t.Context(), m)
	if e := phone.Refused(err); e == nil || e.Code != "fingerprint_revoked" || !e.PINFallback {
		t.Fatalf("%v", err)
	}
	if result, err := p.Accept(t.Context(), m, testPIN); err != nil || result.Result != "authenticated" {
		t.Errorf("pin rescue: %+v, %v", result, err)
	}
}

func TestFetchOTP(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	scanned := "eyJ0cmFuc2FjdGlvbl9pZCI6IjlkMmY0YzFhLTNiN2UtNGYwZC04YTU2LTFjMmUzZjRhNWI2YyIsIm90cCI6InRoZS1jb2RlIn0="
	m, err := p.FetchOTP(t.Context(), scanned, testProfile)
	if err != nil || m.TransactionID != vectorTransaction {
		t.Errorf("%+v, %v", m, err)
	}
}
