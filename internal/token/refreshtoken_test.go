package token_test

import (
	"errors"
	"strings"
	"testing"

	"tokenserver/internal/token"
	"tokenserver/store"
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
		if _, err := p.FamilyOf(t.Context(), "web", forged); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	second := p.refreshWeb(t, right, token.PINRight, false)
	p.refreshWeb(t, second.RefreshToken, token.PINRight, false)
	p.refreshWeb(t, right, token.PINReused, false)
	p.refreshWeb(t, second.RefreshToken, token.PINNoToken, false)
}

// A token of an installation shows nothing of its family, and nobody but the installation finds the family by it.
func TestInstallationTokenTellsNothing(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, first := p.phone(t)
	if strings.Contains(strings.ToLower(first.RefreshToken), strings.ReplaceAll(first.FamilyID, "-", "")) || len(first.RefreshToken) != 64 {
		t.Error("the token names its family")
	}
	if f, err := p.FamilyOf(t.Context(), client, first.RefreshToken); err != nil || f.ID != first.FamilyID {
		t.Errorf("%q, %v", f.ID, err)
	}
	if _, err := p.FamilyOf(t.Context(), "web", first.RefreshToken); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another client finds it: %v", err)
	}
}
