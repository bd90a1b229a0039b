package oauth

import (
	"slices"
	"strconv"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/pages"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
)

// metadata is the discovery document (OpenID Connect Discovery 1.0 §3, RFC 8414 §2, RFC 8628 §4, RFC 9207 §3, Session
// Management 1.0 §3.3, RP-Initiated Logout 1.0 §2.1, Front-Channel Logout 1.0 §3, Back-Channel Logout 1.0 §2.1). Only what
// is switched on stands in it: a member that is optional here is left out when no client can use it.
type metadata struct {
	Issuer               string `json:"issuer"`
	Authorization        string `json:"authorization_endpoint"`
	Token                string `json:"token_endpoint"`
	JWKS                 string `json:"jwks_uri"`
	Userinfo             string `json:"userinfo_endpoint"`
	Revocation           string `json:"revocation_endpoint"`
	Introspection        string `json:"introspection_endpoint"`
	DeviceAuthorization  string `json:"device_authorization_endpoint,omitempty"`
	EndSession           string `json:"end_session_endpoint"`
	CheckSession         string `json:"check_session_iframe"`
	FrontChannel         bool   `json:"frontchannel_logout_supported"`
	FrontChannelSessions bool   `json:"frontchannel_logout_session_supported"`
	BackChannel          bool   `json:"backchannel_logout_supported"`
	BackChannelSessions  bool   `json:"backchannel_logout_session_supported"`

	Scopes           []string `json:"scopes_supported"`
	ResponseTypes    []string `json:"response_types_supported"`
	ResponseModes    []string `json:"response_modes_supported"`
	GrantTypes       []string `json:"grant_types_supported"`
	SubjectTypes     []string `json:"subject_types_supported"`
	ACRValues        []string `json:"acr_values_supported,omitempty"`
	Prompts          []string `json:"prompt_values_supported"`
	ChallengeMethods []string `json:"code_challenge_methods_supported"`
	ClaimTypes       []string `json:"claim_types_supported"`
	Claims           []string `json:"claims_supported"`
	UILocales        []string `json:"ui_locales_supported"`

	IDTokenAlgorithms        []string `json:"id_token_signing_alg_values_supported"`
	IDTokenKeyEncryptions    []string `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncryptions       []string `json:"id_token_encryption_enc_values_supported"`
	TokenAuthentication      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgorithms          []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthentication []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms     []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth        []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms  []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`

	IssInAnswer         bool `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameter     bool `json:"claims_parameter_supported"`
	RequestParameter    bool `json:"request_parameter_supported"`
	RequestURIParameter bool `json:"request_uri_parameter_supported"` // the default of an absent member is true
}

// newMetadata describes the server as the settings have it. algorithm is that of the key which signs.
func newMetadata(issuer string, s *settings.Snapshot, algorithm string) metadata {
	credentials := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	all := append(slices.Clip(credentials), "none")
	m := metadata{
		Issuer: issuer, Authorization: issuer + "/v1/authorize", Token: issuer + "/v1/token", JWKS: issuer + "/v1/keys",
		Userinfo: issuer + "/v1/userinfo", Revocation: issuer + "/v1/revoke", Introspection: issuer + "/api/v2/token/introspect",
		EndSession: issuer + logoutPath, CheckSession: issuer + checkSessionPath,
		FrontChannel: true, FrontChannelSessions: true, BackChannel: true, BackChannelSessions: true,

		Scopes:        offeredScopes(s),
		ResponseTypes: []string{typeCode.parameter()}, ResponseModes: []string{modeQuery, modeForm},
		GrantTypes:   []string{"authorization_code", "client_credentials", "refresh_token"},
		SubjectTypes: []string{"public"}, ACRValues: offeredLevels(s),
		Prompts: []string{"none", "login", "consent", "select_account"}, ChallengeMethods: []string{"S256"},
		ClaimTypes: []string{"normal"}, Claims: offeredClaims(), UILocales: pages.Languages(),

		IDTokenAlgorithms: []string{algorithm}, IDTokenKeyEncryptions: token.EncryptionAlgorithms(), IDTokenEncryptions: settings.ContentEncryptions(),
		TokenAuthentication: all, TokenAlgorithms: clientauth.Algorithms(),
		RevocationAuthentication: all, RevocationAlgorithms: clientauth.Algorithms(),
		IntrospectionAuth: credentials, IntrospectionAlgorithms: clientauth.Algorithms(),
		IssInAnswer: true, ClaimsParameter: true,
	}
	if s.Document.OAuth.PKCEPlainAllowed {
		m.ChallengeMethods = append(m.ChallengeMethods, "plain")
	}
	if offered(s, settings.DeviceCode) {
		m.DeviceAuthorization = issuer + "/device_authorization"
		m.GrantTypes = append(m.GrantTypes, "urn:ietf:params:oauth:grant-type:device_code")
	}
	if offered(s, settings.Password) {
		m.GrantTypes = append(m.GrantTypes, "password")
	}
	if offered(s, settings.Implicit) {
		m.GrantTypes = append(m.GrantTypes, "implicit")
		m.ResponseTypes = append(m.ResponseTypes, string(typeToken), string(typeIDToken), string(typeIDTokenToken))
		m.ResponseModes = append(m.ResponseModes, modeFragment)
	}
	return m
}

// offered tells whether a client may use a grant that is not everybody's.
func offered(s *settings.Snapshot, grant settings.Grant) bool {
	return slices.ContainsFunc(s.Document.WebClients, func(w settings.WebClient) bool { return !w.Disabled && w.Allows(grant) })
}

func offeredScopes(s *settings.Snapshot) []string {
	scopes := []string{scopeOpenID}
	for _, scope := range s.Document.Scopes {
		if scope.ID != scopeOpenID {
			scopes = append(scopes, scope.ID)
		}
	}
	return scopes
}

// offeredLevels are the values of acr that name levels: each by itself, and with each level of identification. Built-in
// accounts know none, unless a text message gives one.
func offeredLevels(s *settings.Snapshot) []string {
	outside := slices.ContainsFunc(s.Document.IdentityProviders, func(p settings.IdentityProvider) bool { return !p.Disabled && p.Vouches() })
	if !outside && s.Document.OAuth.SMSLevel == 0 {
		return nil
	}
	const highest = 4
	var values []string
	for level := 1; level <= highest; level++ {
		acr := levelACR + strconv.Itoa(level)
		values = append(values, acr)
		for identification := 1; identification <= highest; identification++ {
			values = append(values, acr+":identification_level:"+strconv.Itoa(identification))
		}
	}
	return values
}

func offeredClaims() []string {
	claims := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "azp", "sid"}
	for _, scope := range []string{scopeProfile, scopeEmail, scopePhone, scopeAddress} {
		claims = append(claims, scopeClaims(scope)...)
	}
	return claims
}
