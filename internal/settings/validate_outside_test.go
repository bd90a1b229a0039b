package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/settings"
)

// outside is a document that uses everything with which the server reaches, or is reached by, the outside world.
func outside(t *testing.T) settings.Document {
	t.Helper()
	text, err := os.ReadFile("testdata/outside.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := settings.Parse(text, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func certificate(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sp"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The places of testdata/outside.yaml.
const (
	accounts, google, oldIDP, federation, proxy, branch, otp = 0, 1, 2, 3, 4, 5, 6
	portal, television, legacy                               = 0, 1, 2
)

func TestValidateTheOutside(t *testing.T) {
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type document = settings.Document
	production := settings.Rules{Production: true}
	provider := func(d *document, i int) *settings.IdentityProvider { return &d.IdentityProviders[i] }
	for _, tc := range []struct {
		name   string
		rules  settings.Rules
		change func(d *document)
		want   string // the one problem; "" for none
	}{
		{name: "as it is", change: func(*document) {}},

		// The OAuth endpoints.
		{
			name: "misuse scope", change: func(d *document) { d.OAuth.FingerprintMisuse = "USER" },
			want: `oauth.fingerprint_misuse_scope: "USER" is unknown: want CLIENT or PROFILE`,
		},
		{
			name: "inactivity", change: func(d *document) { d.OAuth.SessionInactivity, d.OAuth.SessionMaximum = 601, 600 },
			want: "oauth.session_inactivity: is 601, longer than session_maximum of 600",
		},
		{name: "short maximum shortens inactivity", change: func(d *document) { d.OAuth.SessionMaximum = 600 }},
		{
			name: "authentication endpoint in clear", change: func(d *document) { d.OAuth.AuthenticationEndpoint = "http://login.bank.example" },
			want: `oauth.authentication_endpoint: "http://login.bank.example" is not safe on the way: want https (http only for loopback addresses)`,
		},
		{
			name: "level", change: func(d *document) { d.OAuth.SMSLevel = 100 },
			want: "oauth.sms_level: is 100: want 0 to 99",
		},
		{
			name: "origin with path", change: func(d *document) { d.OAuth.CORS.Origins[0] = "https://shop.example/" },
			want: `oauth.cors.origins[0]: "https://shop.example/" is no origin: want https://host, in lower case and without a path`,
		},
		{
			name: "every origin", change: func(d *document) { d.OAuth.CORS.Origins[0] = "*" },
			want: `oauth.cors.origins[0]: "*" is no origin: want https://host, in lower case and without a path`,
		},
		{
			name: "origin with usual port", change: func(d *document) { d.OAuth.CORS.Origins[0] = "https://shop.example:443" },
			want: `oauth.cors.origins[0]: "https://shop.example:443" names the usual port, which browsers leave out: remove it`,
		},
		{
			name: "scope verification without address", change: func(d *document) { d.OAuth.ScopeVerification.Endpoint = "" },
			want: "oauth.scope_verification.endpoint: is missing: want the address of the service, or enabled: false",
		},
		{
			name: "half of the credentials", change: func(d *document) { d.OAuth.ScopeVerification.Username = "" },
			want: "oauth.scope_verification: username and password belong together: write both or none",
		},
		{
			name: "scope's level", change: func(d *document) { d.Scopes[0].Level = -1 },
			want: "scopes[0].authentication_level: is -1: want 0 to 99",
		},
		{
			name: "scope's page", change: func(d *document) { d.Scopes[0].FailedEndpoint = "javascript:alert(1)" },
			want: `scopes[0].verification_failed_endpoint: "javascript:alert(1)" is no absolute web address: want https://…`,
		},

		// Identity providers.
		{
			name: "no section", change: func(d *document) { provider(d, google).OAuth = nil },
			want: "identity_providers[1].oauth: is missing: a provider of type OIDC needs it",
		},
		{
			name: "section of another type", change: func(d *document) { provider(d, otp).Custom = &settings.CustomSection{} },
			want: "identity_providers[6].custom: is not used with TWO_WAY_OTP: remove it",
		},
		{
			name: "namespace of accounts", change: func(d *document) { provider(d, accounts).Namespace = "google" },
			want: "identity_providers[0]: namespace and attribute_mappings are not used with ACCOUNTS: remove them",
		},
		{
			name: "mapping to a claim of the server", change: func(d *document) { provider(d, google).AttributeMappings[0].To = "sub" },
			want: `identity_providers[1].attribute_mappings[0].to: "sub" is a claim that the server sets itself: choose another`,
		},
		{
			name: "mapping twice", change: func(d *document) {
				p := provider(d, google)
				p.AttributeMappings = append(p.AttributeMappings, settings.AttributeMapping{From: "email", To: "email"})
			},
			want: `identity_providers[1].attribute_mappings[1].to: "email" is used by identity_providers[1].attribute_mappings[0] already: choose another`,
		},
		{
			name: "user info without user", change: func(d *document) { provider(d, google).UserInfoSource.URL = "https://people.bank.example/" },
			want: "identity_providers[1].user_info_source.url: lacks {userId}, which stands for the user id",
		},
		{
			name: "user in the host", change: func(d *document) { provider(d, google).UserInfoSource.URL = "https://{userId}.example/" },
			want: "identity_providers[1].user_info_source.url: has {userId} in the host: want it in the path or the query",
		},
		{
			name: "OIDC without issuer", change: func(d *document) { provider(d, google).OAuth.Issuer = "" },
			want: "identity_providers[1].oauth.issuer: is missing: want https://…",
		},
		{
			name: "OIDC with endpoint", change: func(d *document) { provider(d, google).OAuth.TokenURL = "https://accounts.example/token" },
			want: "identity_providers[1].oauth.token_url: is not used with OIDC: the discovery document of the issuer names it; remove it",
		},
		{
			name: "OAuth without profile", change: func(d *document) { provider(d, oldIDP).OAuth.ProfileURL = "" },
			want: "identity_providers[2].oauth.profile_url: is missing: want https://…",
		},
		{
			name: "endpoint with query", change: func(d *document) { provider(d, oldIDP).OAuth.TokenURL += "?a=b" },
			want: `identity_providers[2].oauth.token_url: "https://old.example/token?a=b" has a query: remove what follows ?`,
		},
		{
			name: "no secret", change: func(d *document) { provider(d, google).OAuth.ClientSecret = settings.Secret{} },
			want: "identity_providers[1].oauth.client_secret: is missing: want the secret that the provider gave to this server, for example {file: PATH}",
		},
		{
			name: "weak key", change: func(d *document) {
				o := provider(d, google).OAuth
				o.Authentication, o.ClientSecret, o.SigningKey = settings.ProviderPrivateKeyJWT, settings.Secret{}, settings.NewSecret(private(t, weak))
			},
			want: "identity_providers[1].oauth.signing_key: an RSA key of 1024 bits is not accepted: want 2048 to 4096",
		},
		{name: "signs itself", change: func(d *document) {
			o := provider(d, google).OAuth
			o.Authentication, o.ClientSecret, o.SigningKey = settings.ProviderPrivateKeyJWT, settings.Secret{}, settings.NewSecret(private(t, curve))
		}},
		{
			name: "scope with blank", change: func(d *document) { provider(d, google).OAuth.Scopes = []string{"a b"} },
			want: `identity_providers[1].oauth.scopes[0]: "a b" is malformed: want one scope without blanks, quotes and backslashes`,
		},
		{name: "provider on loopback", change: func(d *document) { provider(d, google).OAuth.Issuer = "http://127.0.0.1:9000" }},
		{
			name: "provider on loopback in production", rules: production, change: func(d *document) {
				provider(d, google).OAuth.Issuer, d.WebHooks[1].BaseURI = "http://127.0.0.1:9000", "https://hooks.bank.example"
			},
			want: `identity_providers[1].oauth.issuer: "http://127.0.0.1:9000" is not safe on the way: want https`,
		},
		{
			name: "SAML without metadata", change: func(d *document) { provider(d, federation).SAML.MetadataURL = "" },
			want: "identity_providers[3].saml: want metadata_url or metadata, one of them",
		},
		{
			name: "metadata that is none", change: func(d *document) {
				provider(d, federation).SAML.MetadataURL, provider(d, federation).SAML.Metadata = "", "{}"
			},
			want: "identity_providers[3].saml.metadata: is no XML",
		},
		{
			name: "SAML off", change: func(d *document) { d.SAML.Enabled = false },
			want: "identity_providers[3].saml: needs saml.enabled: true, or disabled: true",
		},
		{name: "both off", change: func(d *document) { d.SAML.Enabled, provider(d, federation).Disabled = false, true }},
		{
			name: "comparison", change: func(d *document) { provider(d, federation).SAML.AuthnContextCompare = "equal" },
			want: `identity_providers[3].saml.authn_context_comparison: "equal" is unknown: want exact, minimum, maximum or better`,
		},
		{
			name: "key without certificate", change: func(d *document) { d.SAML.SigningKey = settings.NewSecret(private(t, key)) },
			want: "saml: signing_key and signing_certificate belong together: write both or none",
		},
		{
			name: "certificate of another key", change: func(d *document) {
				other, err := rsa.GenerateKey(rand.Reader, 2048)
				if err != nil {
					t.Fatal(err)
				}
				d.SAML.DecryptionKey, d.SAML.DecryptionCertificate = settings.NewSecret(private(t, key)), certificate(t, other)
			},
			want: "saml.decryption_certificate: is of another key than decryption_key",
		},
		{
			name: "elliptic SAML key", change: func(d *document) {
				d.SAML.SigningKey, d.SAML.SigningCertificate = settings.NewSecret(private(t, curve)), certificate(t, key)
			},
			want: "saml.signing_key: want an RSA key",
		},
		{name: "key pair", change: func(d *document) {
			d.SAML.SigningKey, d.SAML.SigningCertificate = settings.NewSecret(private(t, key)), certificate(t, key)
		}},
		{
			name: "nobody trusted", change: func(d *document) { provider(d, proxy).Header.TrustedProxies = nil },
			want: "identity_providers[4].header.trusted_proxies: is empty: everybody could claim to be anybody; want the networks of the reverse proxies, or disabled: true",
		},
		{name: "nobody trusted, off", change: func(d *document) {
			provider(d, proxy).Header.TrustedProxies, provider(d, proxy).Disabled = nil, true
		}},
		{
			name: "everybody trusted", change: func(d *document) { provider(d, proxy).Header.TrustedProxies[0] = "0.0.0.0/0" },
			want: `identity_providers[4].header.trusted_proxies[0]: "0.0.0.0/0" is every address there is: want the networks of the reverse proxies`,
		},
		{
			name: "no network", change: func(d *document) { provider(d, proxy).Header.TrustedProxies[0] = "proxy" },
			want: `identity_providers[4].header.trusted_proxies[0]: "proxy" is no network: want one such as 10.0.0.0/8 or 127.0.0.1`,
		},
		{
			name: "key id of a secret", change: func(d *document) { provider(d, google).OAuth.SigningKeyID = "k1" },
			want: "identity_providers[1].oauth.signing_key_id: is used with PRIVATE_KEY_JWT alone: remove it",
		},
		{
			name: "name of the time", change: func(d *document) { provider(d, proxy).Header.TimeHeader = "a:b" },
			want: `identity_providers[4].header.authentication_time_header: "a:b" is malformed: want the name of a header`,
		},
		{
			name: "attribute of a parameter without a name", change: func(d *document) {
				provider(d, proxy).Header.Attributes = []settings.AttributeMapping{{From: "query:", To: "device"}}
			},
			want: `identity_providers[4].header.attribute_whitelist[0].from: is missing: want query: and the name of a parameter`,
		},
		{
			name: "level of a parameter", change: func(d *document) {
				provider(d, proxy).AttributeMappings = nil
				provider(d, proxy).Header.Attributes = []settings.AttributeMapping{{From: "query:loa", To: "authenticationLevel"}}
			},
			want: `identity_providers[4].header.attribute_whitelist[0].from: anybody can set a parameter: want a header for authenticationLevel`,
		},
		{
			name: "user id of a parameter, by way of a mapping", change: func(d *document) {
				provider(d, proxy).AttributeMappings = []settings.AttributeMapping{{From: "device", To: "userId"}}
				provider(d, proxy).Header.Attributes = []settings.AttributeMapping{{From: "query:device", To: "device"}}
			},
			want: `identity_providers[4].header.attribute_whitelist[0].from: anybody can set a parameter: want a header for userId`,
		},
		{
			name: "phone number of a parameter", change: func(d *document) {
				provider(d, proxy).AttributeMappings = nil
				provider(d, proxy).Header.Attributes = []settings.AttributeMapping{{From: "query:tel", To: "phone_number"}}
			},
			want: `identity_providers[4].header.attribute_whitelist[0].from: anybody can set a parameter: want a header for phone_number`,
		},
		{
			name: "attribute of no header", change: func(d *document) {
				provider(d, proxy).Header.Attributes = []settings.AttributeMapping{{From: "X Mail", To: "email"}, {From: "query:device", To: "device"}}
			},
			want: `identity_providers[4].header.attribute_whitelist[0].from: "X Mail" is malformed: want the name of a header`,
		},
		{
			name: "header name", change: func(d *document) { provider(d, proxy).Header.UserIDHeader = "iv user" },
			want: `identity_providers[4].header.user_id_header: "iv user" is malformed: want the name of a header`,
		},
		{
			name: "custom registration without address", change: func(d *document) { provider(d, branch).Custom.Endpoint = "" },
			want: "identity_providers[5].custom.endpoint: is missing: want https://…",
		},
		{
			name: "signing secret", change: func(d *document) { provider(d, branch).Custom.SigningSecret = settings.NewSecret("short") },
			want: "identity_providers[5].custom.signing_secret: want whsec_ and base64 of 24 to 64 bytes, or leave it out to have one made",
		},

		// Web hooks.
		{
			name: "type of hook", change: func(d *document) { d.WebHooks[1].Type = "DABP" },
			want: `web_hooks[1].type: "DABP" is unknown: want CUSTOMIZE_TOKEN or USER_DETAILS_CUSTOMIZATION`,
		},
		{
			name: "BASIC without password", change: func(d *document) { d.WebHooks[0].Password = settings.Secret{} },
			want: "web_hooks[0]: BASIC needs username and password",
		},
		{
			name: "password without BASIC", change: func(d *document) { d.WebHooks[0].Authentication = settings.HookNone },
			want: "web_hooks[0]: username and password are used with BASIC alone: remove them",
		},
		{
			name: "hook that does not exist", change: func(d *document) { d.WebClients[portal].WebHooks[0] = "none" },
			want: `web_clients[0].web_hooks[0]: "none" is not in web_hooks`,
		},
		{
			name: "two hooks of a type", change: func(d *document) { d.WebHooks[1].Type = settings.CustomizeToken },
			want: `applications[0].web_hooks[1]: "tokens" and "details" have the same type: keep one`,
		},

		// Applications.
		{
			name: "logo in clear", change: func(d *document) { d.Applications[0].LogoURL = "http://localhost/logo.png" },
			want: `applications[0].logo_url: "http://localhost/logo.png" is not safe on the way: want https`,
		},
		{
			name: "fingerprint without PIN", change: func(d *document) { d.Applications[0].PINAuthentication = new(bool) },
			want: "applications[0].fingerprint_authentication: needs pin_authentication: a fingerprint stands in for the PIN",
		},
		{
			name: "additional authentication", change: func(d *document) { d.Applications[0].AdditionalAuthentication = "MAIL" },
			want: `applications[0].additional_user_authentication: "MAIL" is unknown: want NONE or SMS`,
		},
		{
			name: "app to web", change: func(d *document) { d.Applications[0].AppToWebURLs[0] = "bank://x" },
			want: `applications[0].app_to_web_urls[0]: "bank://x" is no absolute web address: want https://…`,
		},

		// Web clients.
		{
			name: "password beside code", change: func(d *document) {
				c := &d.WebClients[legacy]
				c.Grants, c.RedirectURLs = append(c.Grants, settings.AuthorizationCode), []string{"https://x.example/"}
			},
			want: "web_clients[2].grant_types: PASSWORD cannot stand beside AUTHORIZATION_CODE or DEVICE_CODE: make a client of its own for it",
		},
		{
			name: "password with consent", change: func(d *document) { d.WebClients[legacy].SkipConsent = false },
			want: "web_clients[2].skip_consent: must be true with PASSWORD: there is no page that could ask",
		},
		{
			name: "public password client", change: func(d *document) {
				d.WebClients[legacy].Authentication, d.WebClients[legacy].Secret = settings.PublicClient, settings.ClientSecret{}
			},
			want: "web_clients[2].grant_types: PASSWORD needs a client that authenticates: a PUBLIC one cannot have it",
		},
		{
			name: "PKCE with device", change: func(d *document) { d.WebClients[television].Authentication = settings.PKCEOnly },
			want: "web_clients[1].grant_types: a client with authentication PKCE may only have AUTHORIZATION_CODE",
		},
		{
			name: "implicit without redirect", change: func(d *document) {
				d.WebClients[portal].Grants, d.WebClients[portal].RedirectURLs = []settings.Grant{settings.Implicit}, nil
			},
			want: "web_clients[0].redirect_urls: is empty: IMPLICIT needs at least one",
		},
		{
			name: "refresh without user", change: func(d *document) {
				c := &d.WebClients[legacy]
				c.Grants, c.RefreshTokenEnabled = []settings.Grant{settings.ClientCredentials}, true
			},
			want: "web_clients[2].refresh_token_enabled: needs AUTHORIZATION_CODE, DEVICE_CODE or PASSWORD among the grant_types",
		},
		{
			name: "public validator", change: func(d *document) { d.WebClients[television].ValidatesTokens = true },
			want: "web_clients[1].validates_access_tokens: needs a client that authenticates: a PUBLIC one cannot have it",
		},
		{
			name: "sessions", change: func(d *document) { d.WebClients[portal].MaxSimultaneousSessions = 26 },
			want: "web_clients[0].max_simultaneous_sessions: is 26: want 2 to 25",
		},
		{
			name: "no place for the code", change: func(d *document) { d.WebClients[television].DeviceVerificationFull = "https://bank.example/tv" },
			want: "web_clients[1].device_verification_uri_complete: lacks {user_code}, which stands for the code",
		},
		{
			name: "encryption without keys", change: func(d *document) { d.WebClients[portal].OpenIDConnect.IDTokenEncryption.JWKSURI = "" },
			want: "web_clients[0].open_id_connect.id_token_encryption.jwks_uri: is missing: ID tokens are encrypted to a key that the client publishes there",
		},
		{
			name: "encryption method", change: func(d *document) { d.WebClients[portal].OpenIDConnect.IDTokenEncryption.Method = "A128CTR" },
			want: `web_clients[0].open_id_connect.id_token_encryption.method: "A128CTR" is unknown: want A128GCM, A192GCM, A256GCM, A128CBC-HS256, A192CBC-HS384 or A256CBC-HS512`,
		},
		{
			name: "session without address", change: func(d *document) { d.WebClients[portal].OpenIDConnect.FrontChannelLogoutURL = "" },
			want: "web_clients[0].open_id_connect.front_channel_logout_session_required: needs a front_channel_logout_url",
		},
		{
			name: "usage limit in JWT", change: func(d *document) {
				d.WebClients[portal].AccessTokenFormat, d.WebClients[portal].DefaultScopes = settings.JWT, []string{"once"}
			},
			want: `web_clients[0].default_scopes[0]: "once" has a usage limit, which tokens of format JWT cannot keep: use OPAQUE or another scope`,
		},

		// Credentials of machines.
		{
			name: "two secrets", change: func(d *document) {
				d.WebClients[portal].Secret.Secret = settings.NewSecret(strings.Repeat("s", 32))
			},
			want: "web_clients[0].hashed_client_secret: stands beside client_secret: write one of them",
		},
		{
			name: "imported secret that costs too much", change: func(d *document) {
				d.WebClients[portal].HashedSecret = settings.NewSecret("$bcrypt$c=31$o2EtjJo32sL5nZTaA7BFIQ$5tU4MfggYNwIountInOhQzkj7AXaXhz")
			},
			want: "web_clients[0].hashed_client_secret: parameter c is 31: want 4 to 14",
		},
		{
			name: "imported secret of a public client", change: func(d *document) {
				d.WebClients[television].HashedSecret = settings.NewSecret("x")
			},
			want: "web_clients[1].hashed_client_secret: is not used with PUBLIC: remove it",
		},
		{
			name: "neither key nor address", change: func(d *document) { d.APIClients[0].JWKSURI = "" },
			want: "api_clients[0].public_key: is missing: PRIVATE_KEY_JWT needs a public key in PEM, or a jwks_uri",
		},
		{
			name: "keys in clear", change: func(d *document) { d.APIClients[0].JWKSURI = "http://gateway.example/keys" },
			want: `api_clients[0].jwks_uri: "http://gateway.example/keys" is not safe on the way: want https, or to try things out http on an IP address of this machine, such as http://127.0.0.1`,
		},
		{
			name: "keys of a client with a secret", change: func(d *document) { d.WebClients[legacy].JWKSURI = "https://legacy.example/keys" },
			want: "web_clients[2].jwks_uri: is not used with CLIENT_SECRET_BASIC: remove it",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := outside(t)
			tc.change(&d)
			err := tc.rules.Validate(d)
			if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || (err != nil && got != tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestDefaultsOfTheOutside(t *testing.T) {
	d := outside(t).Complete()
	if d.OAuth.SessionInactivity != 1800 || d.OAuth.SessionMaximum != 28800 || d.SAML.MetadataDays != 1 {
		t.Errorf("oauth %+v, saml %+v", d.OAuth, d.SAML)
	}
	if p := d.IdentityProviders; p[google].OAuth.Authentication != settings.ProviderSecretBasic || p[google].OAuth.UserIDClaim != "" ||
		p[oldIDP].OAuth.UserIDClaim != "userId" || p[google].UserInfoSource.CacheLife != 300 ||
		p[proxy].Header.UserIDHeader != "iv-user" || p[proxy].Header.LevelHeader != "authentication-level" {
		t.Errorf("providers %+v", p)
	}
	if d.WebHooks[1].Authentication != settings.HookJWT {
		t.Errorf("hook %+v", d.WebHooks[1])
	}
	if c := d.WebClients; c[portal].MaxSimultaneousSessions != 25 || c[television].Authentication != settings.PublicClient ||
		c[portal].OpenIDConnect.IDTokenEncryption.Method != "A128CBC-HS256" || c[portal].AdditionalAuthentication != settings.NoAdditional {
		t.Errorf("clients %+v", c)
	}
}
