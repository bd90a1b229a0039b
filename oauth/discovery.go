package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
)

// metadata is the discovery document (OpenID Connect Discovery §3, RFC 8414 §2). Only what is switched on stands in it.
type metadata struct {
	Issuer                   string   `json:"issuer"`
	Authorization            string   `json:"authorization_endpoint"`
	Token                    string   `json:"token_endpoint"`
	JWKS                     string   `json:"jwks_uri"`
	Userinfo                 string   `json:"userinfo_endpoint"`
	Revocation               string   `json:"revocation_endpoint"`
	Introspection            string   `json:"introspection_endpoint"`
	Scopes                   []string `json:"scopes_supported"`
	ResponseTypes            []string `json:"response_types_supported"`
	ResponseModes            []string `json:"response_modes_supported"`
	GrantTypes               []string `json:"grant_types_supported"`
	SubjectTypes             []string `json:"subject_types_supported"`
	IDTokenAlgorithms        []string `json:"id_token_signing_alg_values_supported"`
	IDTokenKeyEncryptions    []string `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncryptions       []string `json:"id_token_encryption_enc_values_supported"`
	TokenAuthentication      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgorithms          []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthentication []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuth        []string `json:"introspection_endpoint_auth_methods_supported"`
	Claims                   []string `json:"claims_supported"`
	ChallengeMethods         []string `json:"code_challenge_methods_supported"`
	Prompts                  []string `json:"prompt_values_supported"`
	IssInAnswer              bool     `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameter          bool     `json:"claims_parameter_supported"`
	RequestParameter         bool     `json:"request_parameter_supported"`
	RequestURIParameter      bool     `json:"request_uri_parameter_supported"`
}

// discovery answers GET and POST /oauth/.well-known/openid-configuration, and the same document at the path of RFC 8414.
func (h *Handler) discovery(c echo.Context) error {
	if err := h.Signing.Refresh(c.Request().Context()); err != nil {
		return err
	}
	scopes := []string{scopeOpenID}
	for _, s := range h.Settings.Current().Document.Scopes {
		if s.ID != scopeOpenID {
			scopes = append(scopes, s.ID)
		}
	}
	claims := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "azp"}
	for _, scope := range []string{scopeProfile, scopeEmail, scopePhone, scopeAddress} {
		claims = append(claims, scopeClaims(scope)...)
	}
	basic := []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	document, err := json.Marshal(metadata{
		Issuer: h.Issuer, Authorization: h.Issuer + "/v1/authorize", Token: h.Issuer + "/v1/token", JWKS: h.Issuer + "/v1/keys",
		Userinfo: h.Issuer + "/v1/userinfo", Revocation: h.Issuer + "/v1/revoke",
		Introspection: h.Issuer + "/api/v2/token/introspect",
		Scopes:        scopes, ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "form_post"},
		GrantTypes:        []string{"authorization_code", "client_credentials", "refresh_token"},
		SubjectTypes:      []string{"public"},
		IDTokenAlgorithms: []string{h.Signing.CurrentAlgorithm()}, TokenAuthentication: append(basic, "none"),
		IDTokenKeyEncryptions: token.EncryptionAlgorithms(), IDTokenEncryptions: settings.ContentEncryptions(),
		TokenAlgorithms:          clientauth.Algorithms(),
		RevocationAuthentication: append(basic, "none"), IntrospectionAuth: basic, Claims: claims,
		ChallengeMethods: []string{"S256"}, Prompts: []string{"none", "login", "consent"}, IssInAnswer: true,
	})
	if err != nil {
		return fmt.Errorf("encode discovery document: %w", err)
	}
	return public(c, document)
}

// jwks answers GET /oauth/v1/keys with the public signing keys.
func (h *Handler) jwks(c echo.Context) error {
	if err := h.Signing.Refresh(c.Request().Context()); err != nil {
		return err
	}
	return public(c, h.Signing.JWKS())
}

// public sends a document that everybody may read and keep for five minutes, in the browser too.
func public(c echo.Context, body []byte) error {
	header := c.Response().Header()
	header.Set(echo.HeaderCacheControl, "public, max-age=300")
	header.Set(echo.HeaderAccessControlAllowOrigin, "*")
	return c.Blob(http.StatusOK, web.JSONType, body)
}
