package oauth

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzRegisteredRedirect: an address that is let through is a registered one, or differs from one in the port of a
// loopback address alone; a browser would send the answer to the same host and path.
func FuzzRegisteredRedirect(f *testing.F) {
	registered := []string{"https://client.example/back", "http://127.0.0.1/back", "http://[::1]:5000/back", "app://back"}
	for _, seed := range append(registered, "http://127.0.0.1:80/back", "http://127.0.0.1:80@evil.example/back", "https://client.example/back#x",
		"https://client.example\\@evil.example/", "javascript:alert(1)//https://client.example/back", "http://[::1]:1/back?x", "\x00") {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, offered string, native bool) {
		if !registeredRedirect(registered, offered, native) || slices.Contains(registered, offered) {
			return
		}
		u, err := url.Parse(offered)
		if err != nil || !native || u.Scheme != "http" || u.User != nil || u.Path != "/back" || u.RawQuery != "" || u.Fragment != "" ||
			(u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
			t.Errorf("%q is let through", offered)
		}
	})
}

// FuzzWithParameters: the answer comes after what is there, and reads back.
func FuzzWithParameters(f *testing.F) {
	f.Add("https://client.example/back", "s")
	f.Add("https://client.example/back?x=%zz", "&code=1#")
	f.Add("app:back?", "ü \x00")
	f.Fuzz(func(t *testing.T, address, state string) {
		if !usableRedirect(address) {
			return
		}
		answer := withParameters(address, url.Values{"state": {state}})
		rest, found := strings.CutPrefix(answer, address)
		got, err := url.ParseQuery(strings.TrimLeft(rest, "?&"))
		if !found || err != nil || got.Get("state") != state || len(got) != 1 {
			t.Errorf("%q with %q: %q", address, state, answer)
		}
	})
}

func FuzzSplitScopes(f *testing.F) {
	f.Add("openid read")
	f.Add(" ")
	f.Fuzz(func(t *testing.T, parameter string) {
		scopes, err := splitScopes(parameter)
		if err != nil {
			return
		}
		again, err := splitScopes(strings.Join(scopes, " "))
		if err != nil || !slices.Equal(scopes, again) {
			t.Errorf("%q: %q, then %q, %v", parameter, scopes, again, err)
		}
	})
}

// TestChallenges holds the vector of RFC 7636 appendix B and the forms of verifier and challenge.
func TestChallenges(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if !goodVerifier(verifier) || !goodChallenge(challenge) || !verifies(verifier, challenge, "") || verifies(challenge, verifier, "") ||
		!verifies(verifier, verifier, plainChallenge) || verifies(verifier, challenge, plainChallenge) {
		t.Error("RFC 7636 appendix B")
	}
	for _, bad := range []string{"", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 43) + "+", strings.Repeat("ä", 43)} {
		if goodVerifier(bad) {
			t.Errorf("verifier %q", bad)
		}
	}
	for _, bad := range []string{"", challenge[:42], challenge + "A", challenge[:42] + "=", challenge[:42] + "+", challenge[:42] + "N"} {
		if goodChallenge(bad) {
			t.Errorf("challenge %q", bad)
		}
	}
}
