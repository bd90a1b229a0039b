package clientauth_test

import (
	"testing"
	"time"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/ratelimit"
)

func TestAuthenticate(t *testing.T) {
	k := newKit(t)
	for _, tc := range []struct {
		name  string
		c     clientauth.Credentials
		want  clientauth.Reason
		known bool
	}{
		{"Basic", clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "s3cret"}, "", false},
		{"Basic and the same client_id", clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "s3cret", ID: "shop"}, "", false},
		{"form", clientauth.Credentials{ID: "shop", Secret: "s3cret"}, "", false},
		{"public", clientauth.Credentials{ID: "spa"}, "", false},
		{"nothing", clientauth.Credentials{}, clientauth.Missing, false},
		{"malformed Basic", clientauth.Credentials{Basic: true}, clientauth.Malformed, false},
		{"only a secret", clientauth.Credentials{Secret: "s3cret"}, clientauth.Malformed, false},
		{"Basic and form", clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "s3cret", ID: "shop", Secret: "s3cret"}, clientauth.Ambiguous, false},
		{"Basic and assertion", clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "s3cret", AssertionType: clientauth.AssertionType, Assertion: "x"}, clientauth.Ambiguous, false},
		{"Basic and another client_id", clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "s3cret", ID: "spa"}, clientauth.Ambiguous, false},
		{"other assertion type", clientauth.Credentials{ID: "signer", AssertionType: "saml2-bearer", Assertion: "x"}, clientauth.Malformed, false},
		{"assertion without type", clientauth.Credentials{ID: "signer", Assertion: "x"}, clientauth.Malformed, false},
		{"unknown", clientauth.Credentials{ID: "nobody", Secret: "s3cret"}, clientauth.UnknownClient, false},
		{"wrong secret", clientauth.Credentials{ID: "shop", Secret: "S3cret"}, clientauth.WrongSecret, true},
		{"empty secret", clientauth.Credentials{Basic: true, BasicID: "shop"}, clientauth.WrongSecret, true},
		{"no secret configured", clientauth.Credentials{Basic: true, BasicID: "empty"}, clientauth.WrongSecret, true},
		{"no proof", clientauth.Credentials{ID: "shop"}, clientauth.Missing, true},
		{"secret instead of key", clientauth.Credentials{ID: "signer", Secret: "s3cret"}, clientauth.WrongMethod, true},
		{"assertion instead of secret", clientauth.Credentials{ID: "shop", AssertionType: clientauth.AssertionType, Assertion: "x"}, clientauth.WrongMethod, true},
		{"key that is no key", clientauth.Credentials{ID: "broken", AssertionType: clientauth.AssertionType, Assertion: "a.b.c"}, clientauth.AssertionInvalid, true},
		{"secret of a public client", clientauth.Credentials{ID: "spa", Secret: "x"}, clientauth.WrongMethod, true},
		{"installation with a key by secret", clientauth.Credentials{ID: k.deviceID, Secret: "x"}, clientauth.WrongMethod, true},
		{"installation by name", clientauth.Credentials{ID: k.deviceID}, clientauth.Missing, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, err := k.service.Authenticate(t.Context(), k.Settings.Current(), tc.c)
			if got := reasonOf(t, err); got != tc.want {
				t.Fatalf("%q, want %q", got, tc.want)
			}
			if err == nil {
				return
			}
			if refused := err.(*clientauth.Refused); refused.Known != tc.known || client.ID != "" { //nolint:errorlint // it is one, bare
				t.Errorf("known %v, client %q", refused.Known, client.ID)
			}
		})
	}
}

// Only guesses at a credential that the client has lock it out.
func TestBudgetOfFailures(t *testing.T) {
	signed := func(id string) clientauth.Credentials {
		return clientauth.Credentials{ID: id, AssertionType: clientauth.AssertionType, Assertion: "a.b.c"}
	}
	basic := func(id, secret string) clientauth.Credentials {
		return clientauth.Credentials{Basic: true, BasicID: id, BasicSecret: secret}
	}
	for _, tc := range []struct {
		name  string
		tried clientauth.Credentials
		want  clientauth.Reason
		last  clientauth.Reason // of the try after the budget
	}{
		{"wrong secret", basic("shop", "x"), clientauth.WrongSecret, clientauth.Throttled},
		{"bad assertion", signed("signer"), clientauth.AssertionInvalid, clientauth.Throttled},
		{"secret of a public client", basic("spa", "x"), clientauth.WrongMethod, clientauth.WrongMethod},
		{"assertion of a public client", signed("spa"), clientauth.WrongMethod, clientauth.WrongMethod},
		{"secret instead of key", basic("signer", "x"), clientauth.WrongMethod, clientauth.WrongMethod},
		{"no proof", clientauth.Credentials{ID: "shop"}, clientauth.Missing, clientauth.Missing},
		{"unknown", basic("nobody", "x"), clientauth.UnknownClient, clientauth.UnknownClient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			const budget = 3
			k.service.Failures = &ratelimit.Limiter{Counts: k.Redis, Name: "budget", Limit: budget, Window: time.Minute, Now: k.Now}
			try := func(want clientauth.Reason) {
				t.Helper()
				_, err := k.service.Authenticate(t.Context(), k.Settings.Current(), tc.tried)
				if got := reasonOf(t, err); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
			for range budget {
				try(tc.want)
			}
			try(tc.last)
		})
	}
}
