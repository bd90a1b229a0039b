package token_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tokenserver/internal/token"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// A text that names a family without being a token of it ends nothing: else whoever has seen an old token, or a family's
// id in the audit log, could sign people out.
func TestForgedWebTokenEndsNothing(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	first := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Refresh: true})
	right := first.RefreshToken
	if len(right) != 64 || strings.ToUpper(right) != right || strings.ReplaceAll(first.FamilyID, "-", "") != strings.ToLower(right[:32]) {
		t.Fatalf("a token of %d characters", len(right))
	}
	for name, forged := range map[string]string{
		"nothing but the family": right[:32], "another secret": right[:32] + strings.Repeat("0", 32), "another family": strings.Repeat("0", 32) + right[32:],
		"lower case": strings.ToLower(right), "longer": right + "00", "no hex": strings.Repeat("Z", 64), "empty": "",
	} {
		p.refreshWeb(t, forged, token.PINNoToken, false)
		if _, err := p.FamilyOf(t.Context(), forged); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	second := p.refreshWeb(t, right, token.PINRight, false)
	p.refreshWeb(t, second.RefreshToken, token.PINRight, false)
	p.refreshWeb(t, right, token.PINReused, false)
	p.refreshWeb(t, second.RefreshToken, token.PINNoToken, false)
}

// A token of an installation shows nothing of its family, and nobody finds the family by it.
func TestInstallationTokenTellsNothing(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, first := p.phone(t)
	if strings.Contains(strings.ToLower(first.RefreshToken), strings.ReplaceAll(first.FamilyID, "-", "")) || len(first.RefreshToken) != 64 {
		t.Error("the token names its family")
	}
	if _, err := p.FamilyOf(t.Context(), first.RefreshToken); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it passes for the token of a web client: %v", err)
	}
	if f, err := p.FamilyOfProfile(t.Context(), client, "AB12cd", store.DefaultToken); err != nil || f.ID != first.FamilyID {
		t.Errorf("%q, %v", f.ID, err)
	}
}

// search notes whose families are listed.
type search struct {
	*sqlstore.Store
	listed []store.FamilyFilter
}

func (s *search) Families(ctx context.Context, which store.FamilyFilter) ([]store.TokenFamily, error) {
	s.listed = append(s.listed, which)
	return s.Store.Families(ctx, which)
}

// Whoever presents a token outside a check of the PIN learns nothing about the one that a PIN covers, not even from the
// time that the answer takes, and makes nobody read the families of a web client, of which there is one for each user.
func TestFindingFamiliesIsNoGuess(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, first := p.phone(t)
	web := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Refresh: true})
	seen := &search{Store: p.sql}
	p.Search = seen
	for name, text := range map[string]string{"covered by a PIN": first.RefreshToken, "unknown": strings.Repeat("A", 64)} {
		if _, err := p.FamilyOf(t.Context(), text); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s, web client: %v", name, err)
		}
		if _, err := p.FingerprintFamilyOf(t.Context(), client, text); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s, installation: %v", name, err)
		}
	}
	if f, err := p.FamilyOf(t.Context(), web.RefreshToken); err != nil || f.ID != web.FamilyID {
		t.Errorf("%q, %v", f.ID, err)
	}
	for _, which := range seen.listed {
		if which.ClientID != client || which.Kind != store.FingerprintToken {
			t.Errorf("families were read: %+v", which)
		}
	}
}
