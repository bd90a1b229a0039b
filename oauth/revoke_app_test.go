package oauth_test

import (
	"slices"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// Whoever holds a phone, but not its PIN, presents what the guess makes of the covered token: to the revocation as some
// other client, because that costs no try.
func TestRevokeTestsNoPINs(t *testing.T) {
	miss := map[string]audit.Code{
		"": audit.TokenRevokeTokenInvalid, "refresh_token": audit.TokenRevokeRefreshTokenInvalid, "access_token": audit.TokenRevokeAccessTokenInvalid,
	}
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	finger := k.issue(t, fingerprint(p))
	for _, tc := range []struct {
		name  string
		basic []string
		form  []string
	}{
		{"public client", nil, []string{"client_id", "spa"}},
		{"web client", []string{"shop", webSecret}, nil},
	} {
		for hint, code := range miss {
			for _, guess := range []string{p.first.RefreshToken, finger.RefreshToken, secret.NewToken()} {
				t.Run(tc.name+", "+hint, func(t *testing.T) {
					k.Codes(t)
					bad(t, k.post(t, "/revoke", tc.basic, append(tc.form, "token", guess, "token_type_hint", hint)...), 200, "")
					if events := k.Events(t); len(events) != 1 || events[0].Code != code || strings.Contains(events[0].Details, "foreign") {
						t.Errorf("%+v", events)
					}
				})
			}
		}
	}
	if p.failures(t) != 0 {
		t.Errorf("%d failures: others count for the profile", p.failures(t))
	}
	p.good(t, p.first.RefreshToken)
	if !k.active(t, finger.AccessToken) {
		t.Error("a stranger has revoked a token")
	}
}

func fingerprint(p *phone) token.Grant {
	return token.Grant{
		ClientID: p.id, ProfileID: p.profileID, UserID: "ann", Refresh: true, Kind: store.FingerprintToken,
		Application: "bank", Platform: "ios", Version: "1.0",
	}
}

func TestRevokeCountsGuesses(t *testing.T) {
	const right, wrong, finger = "right", "wrong", "finger"
	miss := audit.TokenRevokeRefreshTokenInvalid
	gone := []audit.Code{miss, audit.TokenRequestRefreshTokenRetryCountExceeded}
	for _, tc := range []struct {
		name     string
		tokens   []string
		form     []string
		codes    []audit.Code
		failures int // -1 = the profile is gone
		alive    bool
	}{
		{"right", []string{right}, nil, []audit.Code{audit.TokenRevokeRefreshTokenSuccess}, 0, false},
		{"right, profile named", []string{right}, []string{"profile_id", "AB12cd"}, []audit.Code{audit.TokenRevokeRefreshTokenSuccess}, 0, false},
		{"wrong", []string{wrong}, nil, []audit.Code{miss}, 1, true},
		{"of no length", []string{"x"}, nil, []audit.Code{miss}, 1, true},
		{"wrong without hint", []string{wrong}, []string{"token_type_hint", ""}, []audit.Code{audit.TokenRevokeTokenInvalid}, 1, true},
		{"wrong, then right", []string{wrong, wrong, right}, nil, []audit.Code{miss, miss, audit.TokenRevokeRefreshTokenSuccess}, 0, false},
		{"the limit", []string{wrong, wrong, wrong}, nil, slices.Concat([]audit.Code{miss, miss}, gone), -1, false},
		{"after the limit", []string{wrong, wrong, wrong, right}, nil, slices.Concat([]audit.Code{miss, miss}, gone, []audit.Code{miss}), -1, false},
		{"another profile", []string{right, wrong}, []string{"profile_id", "nobody"}, []audit.Code{miss, miss}, 0, true},
		{
			"for an access token nothing is compared",
			[]string{right, wrong},
			[]string{"token_type_hint", "access_token"},
			[]audit.Code{audit.TokenRevokeAccessTokenInvalid, audit.TokenRevokeAccessTokenInvalid},
			0, true,
		},
		{"fingerprint", []string{finger}, nil, []audit.Code{audit.TokenRevokeRefreshTokenSuccess}, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			p := newPhone(t, k, nil, nil)
			other := k.issue(t, fingerprint(p))
			presented := map[string]string{right: p.first.RefreshToken, finger: other.RefreshToken}
			for _, name := range tc.tokens {
				guess := presented[name]
				if guess == "" {
					guess = secret.NewToken()
				}
				form := tc.form
				if !slices.Contains(form, "token_type_hint") {
					form = append(slices.Clone(form), "token_type_hint", "refresh_token")
				}
				bad(t, k.post(t, "/v1/revoke", []string{p.id, p.secret}, append(form, "token", guess)...), 200, "")
			}
			k.want(t, tc.codes...)
			if tc.failures < 0 {
				if _, err := k.Store.Profile(t.Context(), p.id, p.profileID); err == nil {
					t.Error("the profile is still there")
				}
			} else if p.failures(t) != tc.failures {
				t.Errorf("%d failures, want %d", p.failures(t), tc.failures)
			}
			if k.active(t, p.first.AccessToken) != tc.alive {
				t.Errorf("alive: %v", !tc.alive)
			}
		})
	}
}

// An expired access token is known: signing off with it is no guess.
func TestRevokeKnownAccessTokenIsNoGuess(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	for range 2 { // the second time it is revoked already
		if got := k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", p.first.AccessToken); got.Status != 200 {
			t.Fatal(got)
		}
	}
	k.want(t, audit.TokenRevokeAccessTokenSuccess, audit.TokenRevokeTokenInvalid)
	if p.failures(t) != 0 {
		t.Errorf("%d failures", p.failures(t))
	}
}

func TestRevokeAmongSeveralProfiles(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	k.profile(t, p.id, "EF34gh", "bob")
	const badProfile = `{"error":"invalid_request","error_description":"profile_id is missing or malformed"}`
	for _, guess := range []string{p.first.RefreshToken, secret.NewToken()} {
		for _, more := range [][]string{nil, {"profile_id", "too long"}} {
			bad(t, k.post(t, "/v1/revoke", []string{p.id, p.secret}, append(more, "token", guess)...), 400, badProfile)
			k.want(t, audit.TokenRevokeTokenInvalid)
		}
	}
	if p.failures(t) != 0 || !k.active(t, p.first.AccessToken) {
		t.Error("nothing may be compared")
	}
	k.Codes(t)
	bad(t, k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", p.first.RefreshToken, "profile_id", p.profileID), 200, "")
	k.want(t, audit.TokenRevokeRefreshTokenSuccess)
}

// A disabled account keeps nobody from signing off.
func TestRevokeOfDisabledAccount(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	bad(t, k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", p.first.RefreshToken), 200, "")
	k.want(t, audit.TokenRevokeRefreshTokenSuccess)
	if k.active(t, p.first.AccessToken) {
		t.Error("the access token outlives its family")
	}
}
