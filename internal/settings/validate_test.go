package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

func TestTheFullDocumentIsValid(t *testing.T) {
	d := full(t)
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	if err := (settings.Document{}).Validate(); err != nil {
		t.Errorf("the empty document: %v", err)
	}
	if err := (settings.Rules{Production: true}).Validate(d); err != nil {
		t.Errorf("in production: %v", err)
	}
}

func TestValidateNamesPathAndRemedy(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type document = settings.Document
	const android, ios = 0, 1
	version := func(d *document, i int) *settings.AppVersion { return &d.Applications[0].Versions[i] }
	for _, tc := range []struct {
		name   string
		rules  settings.Rules
		change func(d *document)
		want   string // the one problem; "" for none
	}{
		// Scopes.
		{
			name: "scope with a blank", change: func(d *document) { d.Scopes = append(d.Scopes, settings.Scope{ID: "a b"}) },
			want: `scopes[2].id: "a b" is malformed: want 1 to 255 letters, digits, _ - : .`,
		},
		{
			name: "scope without id", change: func(d *document) { d.Scopes = append(d.Scopes, settings.Scope{}) },
			want: `scopes[2].id: is missing: want 1 to 255 letters, digits, _ - : .`,
		},
		{
			name: "scope twice", change: func(d *document) { d.Scopes = append(d.Scopes, settings.Scope{ID: "read"}) },
			want: `scopes[2].id: "read" is used by scopes[0] already: choose another`,
		},
		{name: "scope of 255", change: func(d *document) { d.Scopes = append(d.Scopes, settings.Scope{ID: strings.Repeat("s", 255)}) }},
		{
			name: "scope of 256", change: func(d *document) { d.Scopes = append(d.Scopes, settings.Scope{ID: strings.Repeat("s", 256)}) },
			want: `scopes[2].id: "` + strings.Repeat("s", 80) + `…" is malformed: want 1 to 255 letters, digits, _ - : .`,
		},
		{
			name: "negative usage limit", change: func(d *document) { d.Scopes[0].UsageLimit = -1 },
			want: "scopes[0].usage_limit: is -1: want 0 to 1000000",
		},
		{
			name: "no language", change: func(d *document) { d.Scopes[0].Descriptions = map[string]string{"English": "x"} },
			want: `scopes[0].descriptions: "English" is no language: want a code such as en, nl, de, fr or pt-BR`,
		},

		// PIN policies.
		{name: "short PIN", change: func(d *document) { d.PINPolicies[1].Length = 4 }, want: "pin_policies[1].length: is 4: want 5 to 32"},
		{
			name: "long PIN", change: func(d *document) { d.PINPolicies[1].Length, d.PINPolicies[1].MaxSimilarDigits = 33, 2 },
			want: "pin_policies[1].length: is 33: want 5 to 32",
		},
		{
			name: "similar digits", change: func(d *document) { d.PINPolicies[0].MaxSimilarDigits = 6 },
			want: "pin_policies[0].max_similar_digits: is 6: want 1 to 5",
		},
		{
			name: "blocked PIN of another length", change: func(d *document) { d.PINPolicies[0].BlockedPINs = []string{"1234"} },
			want: "pin_policies[0].blocked_pins[0]: want exactly 5 digits, in quotes",
		},
		{
			name: "blocked PIN with a letter", change: func(d *document) { d.PINPolicies[0].BlockedPINs = []string{"1234x"} },
			want: "pin_policies[0].blocked_pins[0]: want exactly 5 digits, in quotes",
		},
		{
			name: "no default policy", change: func(d *document) { d.PINPolicies[0].Default = false },
			want: "pin_policies: none is the default: set default: true on exactly one",
		},
		{
			name: "two default policies", change: func(d *document) { d.PINPolicies[1].Default = true },
			want: "pin_policies: pin_policies[0] and pin_policies[1] are all the default: set default: true on exactly one",
		},
		{
			name: "policy that does not exist", change: func(d *document) { d.Applications[0].PINPolicy = "none" },
			want: `applications[0].pin_policy: "none" is not in pin_policies`,
		},

		// Identity providers and rules of operating systems.
		{
			name: "two default providers", change: func(d *document) { d.IdentityProviders[1].Default = true },
			want: "identity_providers: identity_providers[0] and identity_providers[1] are all the default: set default: true on one at most",
		},
		{
			name: "unknown type of provider", change: func(d *document) { d.IdentityProviders[1].Type = "LDAP" },
			want: `identity_providers[1].type: "LDAP" is unknown: want ACCOUNTS, OIDC, OAUTH, SAML, HEADER, CUSTOM_API_ONE_STEP, CUSTOM_API_TWO_STEP, TWO_WAY_OTP or TWO_WAY_OTP_API`,
		},
		{
			name: "provider that does not exist", change: func(d *document) { d.Applications[0].IdentityProvider = "x" },
			want: `applications[0].identity_provider: "x" is not in identity_providers`,
		},
		{
			name: "additional without primary", change: func(d *document) { d.Applications[0].IdentityProvider = "" },
			want: "applications[0].additional_identity_providers: needs a primary one: set identity_provider",
		},
		{
			name: "OS rule for no system", change: func(d *document) { d.OSRules[0].Platform = "windows" },
			want: `os_rules[0].platform: "windows" is unknown: want android or ios`,
		},
		{
			name: "OS version", change: func(d *document) { d.OSRules[0].MinimumVersion = "10.1.2.3" },
			want: `os_rules[0].minimum_version: "10.1.2.3" is malformed: want up to three numbers with dots between, in quotes, such as "14.2"`,
		},
		{
			name: "OS rule of nothing", change: func(d *document) { d.OSRules[0] = settings.OSRule{Platform: "ios"} },
			want: "os_rules[0]: restricts nothing: set minimum_version or blocked_versions, or remove it",
		},

		// Push configurations.
		{
			name: "team id", change: func(d *document) { d.PushConfigurations[0].TeamID = "short" },
			want: `push_configurations[0].team_id: "short" is malformed: want 10 upper-case letters and digits, as Apple shows it`,
		},
		{
			name: "no .p8", change: func(d *document) { d.PushConfigurations[0].SigningKey = settings.NewSecret("key") },
			want: "push_configurations[0].signing_key: is no .p8 file: want PEM that begins with -----BEGIN PRIVATE KEY-----",
		},
		{name: ".p8 of another curve", change: func(d *document) {
			d.PushConfigurations[0].SigningKey = settings.NewSecret(private(t, p384))
		}, want: "push_configurations[0].signing_key: is no .p8 file of Apple: want an elliptic key on P-256"},
		{
			name: "missing .p8", change: func(d *document) { d.PushConfigurations[0].SigningKey = settings.Secret{} },
			want: "push_configurations[0].signing_key: is missing: want the .p8 file of the APNs key, for example {file: PATH}",
		},
		{name: "service account without project", change: func(d *document) {
			d.PushConfigurations[1].ServiceAccount = settings.NewSecret(`{"client_email":"a@b"}`)
		}, want: "push_configurations[1].service_account: lacks private_key, project_id: the legacy server key of FCM is not accepted; want a service account key"},
		{
			name: "legacy server key", change: func(d *document) { d.PushConfigurations[1].ServiceAccount = settings.NewSecret("AAAA:legacy") },
			want: "push_configurations[1].service_account: is no JSON: want the key file of the service account as Google gives it out",
		},
		{
			name: "android with a .p8", change: func(d *document) { d.PushConfigurations[1].KeyID = "ABC123DEFG" },
			want: "push_configurations[1]: team_id, key_id and signing_key exist for ios only: remove them",
		},

		// Applications.
		{
			name: "application id", change: func(d *document) { d.Applications[1].ID = "my wallet" },
			want: `applications[1].id: "my wallet" is malformed: want 1 to 64 letters, digits, . _ -`,
		},
		{
			name: "application without redirect", change: func(d *document) { d.Applications[1].RedirectURL = "" },
			want: "applications[1].redirect_url: is missing: users who sign in must get back into the app; want myapp://… or https://…",
		},
		{name: "application without users", change: func(d *document) {
			d.Applications[1].RedirectURL, d.Applications[1].UserRegistration = "", new(bool)
		}},
		{name: "development mode", change: func(d *document) { d.Applications[0].DevelopmentMode = true }},
		{
			name: "development mode in production", rules: settings.Rules{Production: true},
			change: func(d *document) { d.Applications[0].DevelopmentMode = true },
			want:   "applications[0].development_mode: is on, but the server runs with environment: production: switch it off",
		},
		{
			name: "long-lived code", change: func(d *document) { d.Applications[0].AccessGrantExpiresIn = 61 },
			want: "applications[0].access_grant_expires_in: is 61: want 1 to 60",
		},
		{
			name: "negative PIN failures", change: func(d *document) { n := -1; d.Applications[0].MaxPINFailures = &n },
			want: "applications[0].max_pin_failures: is -1: want 0 to 100",
		},
		{name: "endless PIN failures", change: func(d *document) { d.Applications[0].MaxPINFailures = new(int) }},
		{
			name: "limited scope in a JWT", change: func(d *document) { d.Applications[0].AccessTokenFormat = settings.JWT },
			want: `applications[0].additional_scopes[0]: "pay" has a usage limit, which tokens of format JWT cannot keep: use OPAQUE or another scope`,
		},
		{
			name: "unknown scope", change: func(d *document) { d.Applications[0].DefaultScopes = []string{"write"} },
			want: `applications[0].default_scopes[0]: "write" is not in scopes`,
		},
		{
			name: "scope in both lists", change: func(d *document) { d.Applications[0].AdditionalScopes = []string{"read"} },
			want: `applications[0].additional_scopes[0]: "read" is in default_scopes already: remove it here`,
		},

		// Versions.
		{
			name: "platform", change: func(d *document) { version(d, android).Platform, version(d, android).PushConfiguration = "Android", "" },
			want: `applications[0].versions[0].platform: "Android" is unknown: want android or ios`,
		},
		{name: "version twice", change: func(d *document) {
			d.Applications[0].Versions = append(d.Applications[0].Versions, *version(d, ios))
		}, want: `applications[0].versions[2]: version "1.2.0" on ios is described by versions[1] already`},
		{
			name: "version text", change: func(d *document) { version(d, android).Version = "1.2\x00" },
			want: `applications[0].versions[0].version: "1.2\x00" is malformed: want 1 to 64 printable ASCII characters, in quotes`,
		},
		{
			name: "status", change: func(d *document) { version(d, android).Status = "ENABLED" },
			want: `applications[0].versions[0].status: "ENABLED" is unknown: want LOGIN_REGISTRATION, LOGIN_ONLY or DISABLED`,
		},
		{
			name: "push of the other platform", change: func(d *document) { version(d, android).PushConfiguration = "apns" },
			want: `applications[0].versions[0].push_configuration: "apns" is for ios: choose one for android`,
		},
		{
			name: "push that does not exist", change: func(d *document) { version(d, android).PushConfiguration = "x" },
			want: `applications[0].versions[0].push_configuration: "x" is not in push_configurations`,
		},
		{
			name: "APNs without bundle", change: func(d *document) { version(d, ios).BundleIdentifier = "" },
			want: "applications[0].versions[1].bundle_identifier: is missing: APNs needs it as topic",
		},
		{
			name: "Cordova on ios", change: func(d *document) { version(d, ios).Framework = "CORDOVA" },
			want: "applications[0].versions[1].framework: exists for android only: remove it",
		},
		{
			name: "badge on android", change: func(d *document) { version(d, android).SendBadgeNumber = true },
			want: "applications[0].versions[0]: apns_development, send_badge_number and bundle_identifier exist for ios only: remove them",
		},

		// Signatures.
		{
			name: "no signature", change: func(d *document) { version(d, ios).Signatures = nil },
			want: "applications[0].versions[1].application_signatures: is empty: an app could not prove itself; write its signature (or use development_mode or integrity_level NONE while testing)",
		},
		{name: "no signature needed", change: func(d *document) {
			version(d, ios).Signatures, version(d, ios).IntegrityLevel = nil, settings.IntegrityNone
		}},
		{name: "wrong first part", change: func(d *document) {
			version(d, android).Signatures = []string{"0a1b2|77c0de77c0de77c0de77c0de77c0de77"}
		}, want: "applications[0].versions[0].application_signatures[0]: part 1 is not accepted with tampering_protection: want 32, 48 or 64 hex digits"},
		{name: "two architectures", change: func(d *document) {
			version(d, android).Signatures = []string{strings.Repeat("ab", 16) + "|" + strings.Repeat("CD", 24)}
		}},
		{name: "certificate with colons", change: func(d *document) {
			version(d, android).Signatures = []string{strings.TrimSuffix(strings.Repeat("AB:", 32), ":")}
		}},
		{name: "any text without protection", change: func(d *document) {
			version(d, android).Signatures, version(d, android).TamperingProtection = []string{"anything"}, false
		}},
		{name: "App ID under protection", change: func(d *document) { version(d, ios).TamperingProtection = true }},
		{
			name: "empty part", change: func(d *document) { version(d, ios).Signatures = []string{"a|"} },
			want: "applications[0].versions[1].application_signatures[0]: part 2 is empty: remove the |",
		},
		{
			name: "five parts", change: func(d *document) { version(d, ios).Signatures = []string{"a|b|c|d|e"} },
			want: "applications[0].versions[1].application_signatures[0]: has 5 parts: at most 4 are allowed between |",
		},
		{
			name: "nine signatures", change: func(d *document) { version(d, ios).Signatures = strings.Split("abcdefghi", "") },
			want: "applications[0].versions[1].application_signatures: has 9 entries: at most 8 are allowed",
		},

		// Clients.
		{name: "short secret", change: func(d *document) {
			d.WebClients[0].Secret = settings.ClientSecret{Secret: settings.NewSecret(strings.Repeat("x", 31))}
		}, want: "web_clients[0].client_secret: has 31 characters: want 32 to 1024, or leave it out to have one made"},
		{
			name: "one id for two kinds", change: func(d *document) { d.APIClients[0].ID = "portal" },
			want: `api_clients[0].client_id: "portal" is used by web_clients[0] already: client ids are unique over all kinds of clients`,
		},
		{
			name: "id of an installation", change: func(d *document) { d.APIClients[0].ID = strings.Repeat("AB", 32) },
			want: "api_clients[0].client_id: 64 upper-case hex digits name installations: choose another",
		},
		{name: "PKCE with client credentials", change: func(d *document) {
			d.WebClients[1].Grants = []settings.Grant{settings.AuthorizationCode, settings.ClientCredentials}
		}, want: "web_clients[1].grant_types: a client with authentication PKCE may only have AUTHORIZATION_CODE"},
		{name: "PUBLIC with client credentials", change: func(d *document) {
			d.WebClients[1].Authentication = settings.PublicClient
			d.WebClients[1].Grants = []settings.Grant{settings.ClientCredentials}
		}, want: "web_clients[1].grant_types: CLIENT_CREDENTIALS needs a client that authenticates: a PUBLIC one cannot have it"},
		{name: "PUBLIC with a secret", change: func(d *document) {
			d.WebClients[0].Authentication = settings.PublicClient
			d.WebClients[0].Grants = []settings.Grant{settings.AuthorizationCode}
		}, want: "web_clients[0].client_secret: is not used with PUBLIC: remove it"},
		{
			name: "no grants", change: func(d *document) { d.WebClients[1].Grants = nil },
			want: "web_clients[1].grant_types: is empty: want AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, PASSWORD or IMPLICIT",
		},
		{
			name: "no redirect", change: func(d *document) { d.WebClients[1].RedirectURLs = nil },
			want: "web_clients[1].redirect_urls: is empty: AUTHORIZATION_CODE needs at least one",
		},
		{name: "refresh without code", change: func(d *document) {
			d.WebClients[0].Grants, d.WebClients[0].RefreshTokenEnabled = []settings.Grant{settings.ClientCredentials}, true
		}, want: "web_clients[0].refresh_token_enabled: needs AUTHORIZATION_CODE, DEVICE_CODE or PASSWORD among the grant_types"},
		{
			name: "key of a weak curve", change: func(d *document) { d.APIClients[1].PublicKey = public(t, p224) },
			want: "api_clients[1].public_key: want an elliptic key on P-256 or larger",
		},
		{name: "key of P-384", change: func(d *document) { d.APIClients[1].PublicKey = public(t, p384) }},
		{
			name: "private key for a public one", change: func(d *document) { d.APIClients[1].PublicKey = private(t, p384) },
			want: `api_clients[1].public_key: a PEM block "PRIVATE KEY" is not accepted: want PUBLIC KEY`,
		},
		{
			name: "no key", change: func(d *document) { d.APIClients[1].PublicKey = "" },
			want: "api_clients[1].public_key: is missing: PRIVATE_KEY_JWT needs a public key in PEM, or a jwks_uri",
		},
		{
			name: "API scope", change: func(d *document) { d.APIClients[1].Scopes = []string{"read"} },
			want: `api_clients[1].scopes[0]: "read" is unknown: want onegini_api_mobile_authentication, onegini_api_token_introspection, onegini_api_events, onegini_api_end_user, onegini_api_config, onegini_api_admin, onegini_api_user_registration or onegini_api_two_way_otp`,
		},
		{name: "public API client", change: func(d *document) {
			d.APIClients[1].Authentication, d.APIClients[1].PublicKey = settings.PublicClient, ""
		}, want: `api_clients[1].authentication_method: "PUBLIC" is unknown: want CLIENT_SECRET_BASIC or PRIVATE_KEY_JWT`},
		{
			name: "endless access token", change: func(d *document) { d.WebClients[0].AccessTokenExpiresIn = 86401 },
			want: "web_clients[0].access_token_expires_in: is 86401: want 1 to 86400",
		},

		// Types.
		{
			name: "method", change: func(d *document) { d.AuthenticationTypes[0].Method = "SMS" },
			want: `authentication_types[0].method: "SMS" is unknown: want PUSH or PUSH_WITH_PIN`,
		},
		{
			name: "short life", change: func(d *document) { d.AuthenticationTypes[0].ExpiresIn = 9 },
			want: "authentication_types[0].expires_in: is 9: want 10 to 86400",
		},
		{
			name: "resends", change: func(d *document) { d.AuthenticationTypes[0].MaxResends = -1 },
			want: "authentication_types[0].max_resends: is -1: want 0 to 100",
		},
		{
			name: "name of a type", change: func(d *document) { d.AuthenticationTypes[0].Name = "log in" },
			want: `authentication_types[0].name: "log in" is malformed: want 1 to 64 letters, digits, _ . -`,
		},
		{name: "message of 155", change: func(d *document) {
			d.AuthenticationTypes[0].DefaultMessages = map[string]string{"en": strings.Repeat("é", 155)}
		}},
		{name: "message of 156", change: func(d *document) {
			d.AuthenticationTypes[0].DefaultMessages = map[string]string{"en": strings.Repeat("é", 156)}
		}, want: "authentication_types[0].default_messages.en: has 156 characters: at most 155 are allowed"},
		{name: "message of 156 where allowed", rules: settings.Rules{MaxMessageLength: 200}, change: func(d *document) {
			d.AuthenticationTypes[0].DefaultMessages = map[string]string{"en": strings.Repeat("é", 156)}
		}},

		// Callbacks.
		{
			name: "plain http callback", change: func(d *document) { d.Callbacks[0].URL = "http://portal.example/r" },
			want: `callbacks[0].url: "http://portal.example/r" is called in clear: want https (mobile_auth.allow_http_callbacks allows http on test installations)`,
		},
		{
			name: "plain http callback where allowed", rules: settings.Rules{AllowHTTPCallbacks: true},
			change: func(d *document) { d.Callbacks[0].URL = "http://portal.example/r" },
		},
		{
			name: "relative callback", change: func(d *document) { d.Callbacks[0].URL = "/r" },
			want: `callbacks[0].url: "/r" is no absolute web address: want https://…`,
		},
		{
			name: "callback without password", change: func(d *document) { d.Callbacks[0].Password = settings.Secret{} },
			want: "callbacks[0]: username and password belong together: write both or none",
		},
		{
			name: "signing secret", change: func(d *document) { d.Callbacks[0].SigningSecret = settings.NewSecret("whsec_short") },
			want: "callbacks[0].signing_secret: want whsec_ and base64 of 24 to 64 bytes, or leave it out to have one made",
		},

		// Users.
		{
			name: "user who could be taken for a client", change: func(d *document) { d.Users[0].ID = "portal" },
			want: `users[0].id: "portal" is the client_id of web_clients[0]: nobody may be taken for a client`,
		},
		{
			name: "user without id", change: func(d *document) { d.Users[0].ID = "" },
			want: "users[0].id: is missing: want 1 to 255 printable ASCII characters without blanks",
		},
		{
			name: "one name in two cases", change: func(d *document) { d.Users[1].Username = "ANN" },
			want: `users[1].username: "ann" is used by users[0] already: choose another`,
		},
		{
			name: "short password", change: func(d *document) { d.Users[0].Password = settings.NewSecret("1234567") },
			want: "users[0].password: has 7 characters: want at least 8",
		},
		{
			name: "attribute that is the server's", change: func(d *document) { d.Users[0].Attributes = map[string]string{"sub": "x"} },
			want: `users[0].attributes: "sub" is a claim that the server sets itself: remove it`,
		},

		{
			name: "push mode", change: func(d *document) { d.MobileAuthentication.PushEnrollmentMode = "MANY" },
			want: `mobile_authentication.push_enrollment_mode: "MANY" is unknown: want SINGLE_DEVICE, OVERRIDE_ALLOWED or MULTIPLE_DEVICES`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := full(t)
			tc.change(&d)
			err := tc.rules.Validate(d)
			if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || (err != nil && got != tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRedirectURLs(t *testing.T) {
	for url, want := range map[string]string{
		"https://app.example/cb":         "",
		"https://app.example/cb?x=1":     "",
		"http://localhost:8080/cb":       "",
		"http://127.0.0.1/cb":            "",
		"http://[::1]:9/cb":              "",
		"bank://signed-in":               "",
		"com.example.bank:/cb":           "",
		"http://app.example/cb":          "sends codes in clear",
		"http://localhost.evil.example/": "sends codes in clear",
		"https://app.example/cb#x":       "has a fragment",
		"https://app.example/cb#":        "has a fragment",
		"https://user@app.example/cb":    "holds a user name",
		"https:///cb":                    "names no host",
		"/cb":                            "is not absolute",
		"app.example/cb":                 "is not absolute",
		"javascript:alert(1)":            "cannot receive codes",
		"JavaScript:alert(1)":            "cannot receive codes",
		"data:text/html,x":               "cannot receive codes",
		"https://app.example/c b":        "is no URL",
		"https://app.example\\@evil/":    "is no URL",
		"https://app.example/\u00e9":     "is no URL",
	} {
		d := settings.Document{WebClients: []settings.WebClient{{
			ID: "c", Grants: []settings.Grant{settings.AuthorizationCode}, RedirectURLs: []string{url},
		}}}
		err := d.Validate()
		if want == "" && err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "web_clients[0].redirect_urls[0]: ")) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestValidateNamesEverythingAtOnce(t *testing.T) {
	d := full(t)
	d.Scopes[0].ID = ""
	d.Applications[0].AccessGrantExpiresIn = 99
	d.WebClients[0].RedirectURLs[0] = "x"
	d.Users[0].Username = ""
	var invalid *settings.Invalid
	if err := d.Validate(); !errors.As(err, &invalid) {
		t.Fatalf("got %v, want *Invalid", err)
	}
	var paths []string
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	want := []string{
		"scopes[0].id", "applications[0].access_grant_expires_in", "applications[0].default_scopes[1]",
		"web_clients[0].redirect_urls[0]", "web_clients[0].default_scopes[2]", "web_clients[1].default_scopes[0]", "users[0].username",
	}
	if !slices.Equal(paths, want) {
		t.Errorf("got %q\nwant %q", paths, want)
	}
}

func TestProblemsQuoteNoSecret(t *testing.T) {
	const hidden = "hidden-value"
	d := full(t)
	d.PushConfigurations[0].SigningKey = settings.NewSecret(hidden)
	d.PushConfigurations[1].ServiceAccount = settings.NewSecret(hidden)
	d.WebClients[0].Secret = settings.ClientSecret{Secret: settings.NewSecret(hidden)}
	d.Callbacks[0].SigningSecret = settings.NewSecret(hidden)
	d.Users[0].Password = settings.NewSecret(hidden[:6])
	err := d.Validate()
	if err == nil || len(strings.Split(err.Error(), "\n")) != 5 {
		t.Fatalf("got %v, want five problems", err)
	}
	if strings.Contains(err.Error(), hidden[:6]) {
		t.Errorf("a problem quotes a secret: %v", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", d, d, d); strings.Contains(shown, hidden) {
		t.Error("a printed document shows a secret")
	}
}
