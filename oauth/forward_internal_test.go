package oauth

import (
	"testing"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

type signInAt string

func (s signInAt) SignInURL(transactionID string) string { return string(s) + transactionID }

func TestWayIn(t *testing.T) {
	b := &Browser{Issuer: "https://ts.example/oauth", Providers: Providers{
		settings.OIDCProvider: signInAt("/oidc/"), settings.HeaderProvider: signInAt("/header/"), settings.BuiltInAccounts: signInAt("/accounts/"),
	}}
	for _, tc := range []struct {
		name string
		page bool
		kind settings.IdentityProviderType
		a    store.Authorization
		want string
	}{
		{"elsewhere", false, settings.OIDCProvider, store.Authorization{}, "/oidc/t"},
		{"elsewhere, with the page", true, settings.OIDCProvider, store.Authorization{}, "/oauth/authorize/forward?t=t"},
		{"elsewhere, silently", true, settings.OIDCProvider, store.Authorization{Silent: true}, "/oidc/t"},
		{"elsewhere, for a device", false, settings.OIDCProvider, store.Authorization{DeviceID: "d"}, "/oauth/authorize/forward?t=t"},
		{"proxy", true, settings.HeaderProvider, store.Authorization{DeviceID: "d"}, "/header/t"},
		{"here", true, settings.BuiltInAccounts, store.Authorization{DeviceID: "d"}, "/accounts/t"},
	} {
		tc.a.ID = "t"
		s := settings.NewSnapshot(1, settings.Document{OAuth: settings.OAuth{ForwardPage: tc.page}})
		if got := b.wayIn(tc.a, s, &settings.IdentityProvider{Type: tc.kind}); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
