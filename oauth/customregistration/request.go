package customregistration

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// version is the way in which a client proves itself.
type version int

// The versions.
const (
	v1 version = 1 // HTTP Basic
	v2 version = 2 // an assertion in the body: ES256, with kid
)

// proof is how clients of version 2 prove themselves.
type proof struct {
	AssertionType string `json:"client_assertion_type"`
	Assertion     string `json:"client_assertion"`
}

// initBody is the body of the first step; version 2 adds the proof.
type initBody struct {
	Data *string `json:"data"`
}

// completeBody is the body of the last step; version 2 adds the proof.
type completeBody struct {
	Data          *string             `json:"data"`
	TransactionID string              `json:"transaction_id"` // of the first step, if there was one
	Scope         []string            `json:"scope"`
	ProfileID     string              `json:"profile_id"`
	HookParams    map[string][]string `json:"hook_context_custom_params"`
	GrantType     string              `json:"grant_type"` // "" or stateless
}

// stateless is the only grant type that can be named.
const stateless = "urn:onewelcome:oauth2:grant_type:stateless_authentication"

// How a request fails before anything is known about its client.
var (
	malformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "the body is not what this address takes",
	}
	unproved = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "authenticate with client_assertion_type and client_assertion in the body",
	}
	wrongAssertion = outcome.Failure{
		Code: outcome.RefusedClient, Audit: audit.TokenRequestInvalidClientCredentials, Text: "the client could not be authenticated",
	}
)

// bind reads a body; target takes the members of version 1.
func bind(c echo.Context, v version, target any) (proof, error) {
	var p proof
	var err error
	switch body := target.(type) {
	case *initBody:
		if v == v1 {
			err = web.BindJSON(c, body)
			break
		}
		both := struct {
			initBody
			proof
		}{}
		err = web.BindJSON(c, &both)
		*body, p = both.initBody, both.proof
	case *completeBody:
		if v == v1 {
			err = web.BindJSON(c, body)
			break
		}
		both := struct {
			completeBody
			proof
		}{}
		err = web.BindJSON(c, &both)
		*body, p = both.completeBody, both.proof
	}
	return p, unreadable(err)
}

// unreadable is the failure of a body that cannot be bound.
func unreadable(err error) error {
	if err == nil {
		return nil
	}
	failure := malformed
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		failure.Code, failure.Text = outcome.PayloadTooLarge, "the body is too large"
	}
	return failure.Because(err).About(audit.Reason("body"))
}

// client finds out who is calling.
func (h *Handler) client(c echo.Context, s *settings.Snapshot, v version, p proof) (clientauth.Client, error) {
	if v == v2 && (p.AssertionType != clientauth.AssertionType || p.Assertion == "" || c.Request().Header.Get(echo.HeaderAuthorization) != "") {
		return clientauth.Client{}, unproved.About(audit.Reason("client authentication"))
	}
	client, err := h.Tokens.RegistrationClient(c, s, p.AssertionType, p.Assertion)
	if err != nil {
		return client, err
	}
	if v == v2 && !es256(p.Assertion) {
		return client, wrongAssertion.About(audit.Reason("assertion is not ES256 with kid"))
	}
	return client, nil
}

const (
	maxHookParams      = 20
	maxHookParamValues = 10
	maxHookParam       = 512 // characters
	maxAskedScopes     = 100
)

var hookParam = regexp.MustCompile(`^[A-Za-z0-9_.\-]{1,64}$`)

// fault names the member that is not what it should be; "" = none.
func (b *completeBody) fault() string {
	if len(b.Scope) > maxAskedScopes {
		return "scope"
	}
	if len(b.HookParams) > maxHookParams {
		return "hook_context_custom_params"
	}
	for name, values := range b.HookParams {
		if !hookParam.MatchString(name) || len(values) > maxHookParamValues || slices.ContainsFunc(values, func(value string) bool {
			return utf8.RuneCountInString(value) > maxHookParam || !web.IsText(value)
		}) {
			return "hook_context_custom_params"
		}
	}
	return ""
}
