package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"tokenserver/phone"
)

const grantFingerprint = "urn:onewelcome:oauth2:grant_type:finger_print"

// touched is a phone whose user has enabled the fingerprint.
func (a *actor) touched() (p *phone.Phone, profile string) {
	a.t.Helper()
	p, profile = a.signedIn(android(), "uma")
	a.quietly("enable fingerprint", func(ctx context.Context) error { return p.EnableFingerprint(ctx, profile, pin) })
	a.begin()
	return p, profile
}

func TestFingerprint(t *testing.T) {
	runRows(t, cluster(t), []row{
		{"enabled", func(a *actor) ending {
			p, profile := a.signedIn(android(), "uma")
			return a.ended(p.EnableFingerprint(a.t.Context(), profile, pin))
		}, 200, "", "TOKEN_REQUEST_FINGER_PRINT_TOKEN_CREATED"},
		{"enabled with a wrong PIN", func(a *actor) ending {
			p, profile := a.signedIn(android(), "uma")
			return a.ended(p.EnableFingerprint(a.t.Context(), profile, wrongPIN))
		}, 400, "invalid_grant", "TOKEN_REQUEST_FINGER_PRINT_INVALID_REFRESH_TOKEN"},
		{"wrong client credentials", func(a *actor) ending {
			_, profile := a.signedIn(android(), "uma")
			return a.send(request{path: "/v1/token", basic: []string{webClient, "wrong"}, form: url.Values{
				"grant_type": {grantFingerprint}, "refresh_token": {randomHex(32)}, "profile_id": {profile},
			}}).ended()
		}, 401, "invalid_client", "TOKEN_REQUEST_FINGER_PRINT_INVALID_CLIENT_CREDENTIALS"},
		{"refreshed", func(a *actor) ending {
			p, profile := a.touched()
			_, err := p.RefreshWithFingerprint(a.t.Context(), profile)
			return a.ended(err)
		}, 200, "", "TOKEN_REQUEST_FINGER_PRINT_ACCESS_TOKEN_REFRESHED"},
		{"wrong fingerprint token", func(a *actor) ending {
			p, profile := a.touched()
			p.SetFingerprintToken(profile, randomHex(32))
			_, err := p.RefreshWithFingerprint(a.t.Context(), profile)
			return a.ended(err)
		}, 400, "invalid_grant", "TOKEN_REQUEST_FINGER_PRINT_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED"},
		{"the PIN goes on after a wrong fingerprint token", func(a *actor) ending {
			p, profile := a.touched()
			p.SetFingerprintToken(profile, randomHex(32))
			_, _ = p.RefreshWithFingerprint(a.t.Context(), profile)
			a.begin()
			_, err := p.Refresh(a.t.Context(), profile, pin)
			return a.ended(err)
		}, 200, "", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED"},
		{"disabled for the profile", func(a *actor) ending {
			p, profile := a.touched()
			return a.ended(p.DisableFingerprint(a.t.Context(), profile))
		}, 200, "", "TOKEN_REVOKE_PROFILE_FINGER_PRINT_TOKENS_SUCCESS"},
		{"disabled for the installation", func(a *actor) ending {
			p, _ := a.touched()
			return a.ended(p.DisableAllFingerprints(a.t.Context()))
		}, 200, "", "TOKEN_REVOKE_CLIENT_FINGER_PRINT_TOKENS_SUCCESS"},
	})
}

// TestFingerprintRace: of 50 wrong PINs at the exchange three are looked at.
func TestFingerprintRace(t *testing.T) {
	a := newActor(t, cluster(t))
	p, profile := a.signedIn(android(), "uma")
	a.begin()
	results := make(chan string, 50)
	for range cap(results) {
		go func() {
			answer, err := p.Do(t.Context(), phone.Request{Path: "/v1/token", ClientAuth: true, Form: url.Values{
				"grant_type": {grantFingerprint}, "refresh_token": {randomHex(32)}, "profile_id": {profile},
			}})
			if err != nil {
				results <- err.Error()
				return
			}
			results <- http.StatusText(answer.Status)
		}()
	}
	for range cap(results) {
		if got := <-results; got != http.StatusText(http.StatusBadRequest) {
			t.Errorf("answered %s", got)
		}
	}
	counted := 0
	if err := a.d.log.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range a.d.log.of(a.transaction) {
		if e.Code == "TOKEN_REQUEST_FINGER_PRINT_INVALID_REFRESH_TOKEN" && e.detail("reason") == "unknown" {
			counted++
		}
	}
	if counted != 2 { // the third ends the profile under its own code
		t.Errorf("%d wrong PINs were compared and not the last, want 2", counted)
	}
}
