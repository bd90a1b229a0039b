package oidc_test

import (
	"strings"
	"testing"
	"time"

	"tokenserver/internal/standin"
)

// TestIDTokens: each way in which an ID token can be wrong, and the algorithms that are right.
func TestIDTokens(t *testing.T) {
	w := newWorld(t)
	now := w.Now()
	change := func(f func(header, claims map[string]any)) standin.OpenIDLies { return standin.OpenIDLies{IDToken: f} }
	claim := func(name string, value any) standin.OpenIDLies {
		return change(func(_, claims map[string]any) { claims[name] = value })
	}
	without := func(name string) standin.OpenIDLies {
		return change(func(_, claims map[string]any) { delete(claims, name) })
	}
	for _, tc := range []struct {
		name   string
		lies   standin.OpenIDLies
		maxAge int // as asked, 0 = not asked
		reason string
	}{
		{name: "honest"},
		{name: "RS256", lies: standin.OpenIDLies{Algorithm: "RS256"}},
		{name: "RS384", lies: standin.OpenIDLies{Algorithm: "RS384"}},
		{name: "RS512", lies: standin.OpenIDLies{Algorithm: "RS512"}},
		{name: "PS256", lies: standin.OpenIDLies{Algorithm: "PS256"}},
		{name: "PS384", lies: standin.OpenIDLies{Algorithm: "PS384"}},
		{name: "PS512", lies: standin.OpenIDLies{Algorithm: "PS512"}},
		{name: "ES384", lies: standin.OpenIDLies{Algorithm: "ES384"}},
		{name: "ES512", lies: standin.OpenIDLies{Algorithm: "ES512"}},
		{name: "no kid", lies: change(func(header, _ map[string]any) { delete(header, "kid") })},
		{name: "unsigned", lies: standin.OpenIDLies{Algorithm: "none"}, reason: "ID token signature"},
		{name: "the public key as a secret", lies: standin.OpenIDLies{Algorithm: "HS256"}, reason: "ID token signature"},
		{name: "kid of another key", lies: change(func(h, _ map[string]any) { h["kid"] = "ES384-0" }), reason: "unknown key"},
		{name: "kid of nobody", lies: change(func(h, _ map[string]any) { h["kid"] = "none" }), reason: "unknown key"},
		{name: "key of another algorithm", lies: standin.OpenIDLies{Algorithm: "RS256", IDToken: func(h, _ map[string]any) { h["kid"] = "ES256-0" }}, reason: "unknown key"},
		{name: "critical header", lies: change(func(h, _ map[string]any) { h["crit"] = []string{"x"} }), reason: "ID token unverifiable"},
		{name: "another issuer", lies: claim("iss", "https://evil.example"), reason: "ID token of another issuer"},
		{name: "issuer with a slash", lies: claim("iss", w.provider.Issuer()+"/"), reason: "ID token of another issuer"},
		{name: "another audience", lies: claim("aud", "somebody"), reason: "ID token for another audience"},
		{name: "no audience", lies: without("aud"), reason: "ID token for another audience"},
		{name: "audience is a number", lies: claim("aud", []any{clientID, 1}), reason: "ID token for another audience"},
		{name: "audience in a list", lies: claim("aud", []string{clientID})},
		{name: "two audiences", lies: claim("aud", []string{clientID, "other"}), reason: "ID token for another party"},
		{name: "two audiences, ours authorized", lies: change(func(_, c map[string]any) { c["aud"], c["azp"] = []string{"other", clientID}, clientID })},
		{name: "another party", lies: claim("azp", "other"), reason: "ID token for another party"},
		{name: "party is a number", lies: claim("azp", 7), reason: "ID token for another party"},
		{name: "expired", lies: claim("exp", now.Add(-time.Minute).Unix()), reason: "ID token expired"},
		{name: "just not expired", lies: claim("exp", now.Add(-59*time.Second).Unix())},
		{name: "endless", lies: without("exp"), reason: "ID token expired"},
		{name: "expiry is a text", lies: claim("exp", "2099-01-01"), reason: "ID token expired"},
		{name: "issued in the future", lies: claim("iat", now.Add(61*time.Second).Unix()), reason: "ID token of the future"},
		{name: "issued a little ahead", lies: claim("iat", now.Add(time.Minute).Unix())},
		{name: "never issued", lies: without("iat"), reason: "ID token of the future"},
		{name: "not valid yet", lies: claim("nbf", now.Add(time.Hour).Unix()), reason: "ID token of the future"},
		{name: "another nonce", lies: claim("nonce", "another"), reason: "ID token with another nonce"},
		{name: "no nonce", lies: without("nonce"), reason: "ID token with another nonce"},
		{name: "another access token", lies: claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), reason: "ID token of another access token"},
		{name: "hash is a number", lies: claim("at_hash", 1), reason: "ID token of another access token"},
		{name: "no hash", lies: without("at_hash")},
		{name: "no subject", lies: claim("sub", ""), reason: "ID token without subject"},
		{name: "subject is a number", lies: claim("sub", 7), reason: "ID token without subject"},
		{name: "subject too long", lies: claim("sub", strings.Repeat("x", 256)), reason: "ID token without subject"},
		{name: "max_age kept", maxAge: 60},
		{name: "max_age unanswered", lies: without("auth_time"), maxAge: 60, reason: "ID token without auth_time"},
		{name: "max_age missed", lies: claim("auth_time", now.Add(-121*time.Second).Unix()), maxAge: 60, reason: "authentication too old"},
		{name: "authenticated in the future", lies: claim("auth_time", now.Add(time.Hour).Unix()), maxAge: 60, reason: "authentication too old"},
		{name: "too long", lies: claim("x", strings.Repeat("x", 16<<10)), reason: "ID token too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.provider.Lie(tc.lies)
			if tc.maxAge == 0 {
				tc.maxAge = -1
			}
			claims, _, err := w.signIn(t, tc.maxAge)
			wantReason(t, err, tc.reason)
			if tc.reason == "" && claims.Subject != "ann" {
				t.Errorf("subject %q", claims.Subject)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	w := newWorld(t)
	w.provider.Lie(standin.OpenIDLies{IDToken: func(_, claims map[string]any) { claims["acr"] = "urn:high" }})
	claims, profile, err := w.signIn(t, -1)
	if err != nil {
		t.Fatal(err)
	}
	if claims.ACR != "urn:high" || strings.Join(claims.AMR, " ") != "pwd otp" || !claims.AuthTime.Equal(w.Now()) || claims.Session != "session of ann" {
		t.Errorf("%+v", claims)
	}
	if profile["sub"] != "ann" || profile["name"] != "Ann" {
		t.Errorf("profile %v", profile)
	}
}

// TestRotation: keys that the provider made a moment ago are fetched, and those of before are not good any more.
func TestRotation(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.signIn(t, -1); err != nil {
		t.Fatal(err)
	}
	if err := w.provider.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.signIn(t, -1); err != nil {
		t.Errorf("with new keys: %v", err)
	}
	w.provider.Lie(standin.OpenIDLies{IDToken: func(header, _ map[string]any) { header["kid"] = "ES256-0" }})
	_, _, err := w.signIn(t, -1)
	wantReason(t, err, "unknown key")
}
