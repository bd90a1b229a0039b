package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How an authorization request fails before its redirect address is trusted: an error page.
var (
	authorizeMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the request cannot be read",
	}
	authorizeUnknownClient = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "client_id is missing or unknown",
	}.With(pageText, "error.client")
	authorizeVersionOff = outcome.Failure{
		Code: outcome.VersionDisabled, Audit: audit.ClientValidationVersionDisabled, Text: "this app version is disabled",
	}.With(pageText, "error.version")
	authorizeAPIVersion = outcome.Failure{
		Code: outcome.APIVersionNotAllowed, Audit: audit.APIVersionNotAllowed,
		Text: "the installation's API version may not use this endpoint",
	}.With(pageText, "error.version")
	authorizeRedirect = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestRedirectUriInvalid,
		Text: "redirect_uri is not registered for the client",
	}.With(pageText, "error.redirect")
)

// How it fails afterwards: an error response to the client.
var (
	authorizeInvalid = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "a parameter is missing, repeated or malformed",
	}
	authorizeResponseType = outcome.Failure{
		Code: outcome.UnsupportedResponseType, Audit: audit.AuthzRequestInvalidResponseType,
		Text: "the response type is not supported",
	}
	authorizeGrantOff = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.AuthzRequestInvalidResponseType,
		Text: "the client may not use this response type",
	}
	authorizeScope = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.AuthzRequestScopeInvalid,
		Text: "the scope is malformed, missing or not allowed for the client",
	}
)

// The limits of the parameters, in bytes.
const (
	maxQuery = 8 << 10
	maxState = 2048
	maxNonce = 512
)

// The API versions of installations that may use the authorization endpoint.
const (
	firstAPIVersion = 1
	lastAPIVersion  = 2
)

// authorizeRequest is an authorization request that is being checked.
type authorizeRequest struct {
	settings        *settings.Snapshot
	client          requester
	values          url.Values
	redirectURI     string
	redirectOmitted bool
	mode            string
	scopes          []string
	prompt          []string
	maxAge          int    // seconds; -1 = not given
	hinted          string // subject of id_token_hint
	provider        *settings.IdentityProvider
}

// get returns a parameter; an empty one counts as absent (RFC 6749 §3.1).
func (r *authorizeRequest) get(name string) string { return r.values.Get(name) }

func (r *authorizeRequest) asks(prompt string) bool { return slices.Contains(r.prompt, prompt) }

// authorize answers GET, POST and HEAD of the authorization endpoint. The checks run in the order of the steps below.
// It ends with a redirect to the identity provider, or, for a signed-in user, with the next step or the answer.
func (b *Browser) authorize(c echo.Context) error {
	r := &authorizeRequest{settings: b.Settings.Current(), maxAge: -1}
	var err error
	if r.values, err = authorizeParameters(c); err != nil {
		return err
	}
	if err := b.checkClient(c, r); err != nil {
		return err
	}
	if err := r.checkRedirect(); err != nil {
		return err
	}
	to := reply{
		redirectURI: r.redirectURI, mode: modeQuery, clientName: r.client.name(),
		language: pages.Language(r.get("language"), r.get("ui_locales"), c.Request().Header.Get("Accept-Language")),
	}
	if len(r.get("state")) <= maxState && len(r.values["state"]) == 1 && visible(r.get("state")) {
		to.state = r.get("state")
	}
	web.AnswerFailuresBy(c, b.fail(to))
	if err := r.checkForm(); err != nil {
		return err
	}
	to.mode = r.mode
	web.AnswerFailuresBy(c, b.fail(to))
	for _, check := range []func() error{r.checkResponseType, r.checkPKCE, r.checkScope, r.checkPrompt} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := b.checkHint(c.Request().Context(), r); err != nil {
		return err
	}
	if r.provider, err = b.chooseProvider(r.settings, r.client, r.get("idp")); err != nil {
		return err
	}
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	return b.begin(c, r, to)
}

// authorizeParameters reads the query of a GET, or the form of a POST.
func authorizeParameters(c echo.Context) (url.Values, error) {
	encoded := c.Request().URL.RawQuery
	if c.Request().Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
		if err != nil || kind != echo.MIMEApplicationForm || encoded != "" {
			return nil, authorizeMalformed.About(audit.Reason("not a form"))
		}
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return nil, fmt.Errorf("read form: %w", err)
		}
		encoded = string(body)
	} else if len(encoded) > maxQuery {
		return nil, authorizeMalformed.About(audit.Reason("query too long"))
	}
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, authorizeMalformed.Because(err).About(audit.Reason("malformed encoding"))
	}
	for name, list := range values { // an empty parameter counts as absent
		// Stores cannot hold what is no text. A redirect address has a failure of its own, and is only compared.
		if !web.IsText(name) || name != "redirect_uri" && slices.ContainsFunc(list, func(v string) bool { return !web.IsText(v) }) {
			return nil, authorizeMalformed.About(audit.Reason("malformed encoding"))
		}
		list = slices.DeleteFunc(list, func(v string) bool { return v == "" })
		if len(list) == 0 {
			delete(values, name)
			continue
		}
		values[name] = list
	}
	return values, nil
}

// checkRedirect is step 4.
func (r *authorizeRequest) checkRedirect() error {
	offered := r.values["redirect_uri"]
	registered := r.client.redirects()
	switch {
	case len(offered) > 1:
		return authorizeRedirect.About(audit.Reason("repeated"))
	case len(offered) == 1:
		native := !r.client.app() && r.client.Public()
		if !registeredRedirect(registered, offered[0], native) {
			return authorizeRedirect.About(audit.Detail("redirect_uri", strconv.QuoteToASCII(offered[0])))
		}
		r.redirectURI = offered[0]
	case len(registered) != 1:
		return authorizeRedirect.About(audit.Reason("missing"))
	case slices.Contains(strings.Fields(r.get("scope")), scopeOpenID):
		return authorizeRedirect.About(audit.Reason("missing with openid"))
	case !usableRedirect(registered[0]):
		return authorizeRedirect.About(audit.Reason("registered address unusable"))
	default:
		r.redirectURI, r.redirectOmitted = registered[0], true
	}
	return nil
}

// checkForm is step 5: repetitions, the presence of response_type, state and nonce, the response mode.
func (r *authorizeRequest) checkForm() error {
	r.mode = r.get("response_mode")
	if r.mode == "" {
		r.mode = modeQuery
	}
	for name, list := range r.values {
		if len(list) > 1 && !repeatable(name) {
			return authorizeInvalid.About(audit.Detail("field", name), audit.Reason("repeated"))
		}
	}
	switch {
	case r.get("response_type") == "":
		return authorizeInvalid.About(audit.Detail("field", "response_type"), audit.Reason("missing"))
	case len(r.get("state")) > maxState:
		return authorizeInvalid.About(audit.Detail("field", "state"), audit.Reason("too long"))
	case len(r.get("nonce")) > maxNonce:
		return authorizeInvalid.About(audit.Detail("field", "nonce"), audit.Reason("too long"))
	case !visible(r.get("state")):
		return authorizeInvalid.About(audit.Detail("field", "state"), audit.Reason("malformed"))
	case !visible(r.get("nonce")):
		return authorizeInvalid.About(audit.Detail("field", "nonce"), audit.Reason("malformed"))
	case r.mode != modeQuery && r.mode != modeForm,
		r.mode == modeForm && !strings.HasPrefix(r.redirectURI, "https://") && !strings.HasPrefix(r.redirectURI, "http://"):
		return authorizeInvalid.About(audit.Detail("field", "response_mode"), audit.Reason("unsupported"))
	}
	return nil
}

// visible tells whether a text consists of VSCHAR alone (RFC 6749 appendix A): anything else would not come back as it was.
func visible(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// repeatable: the families of custom parameters, and the resource indicators (RFC 8707 §2).
func repeatable(name string) bool {
	return strings.Contains(name, "_custom_param.") || name == "resource" || name == "audience"
}

// checkResponseType is step 6.
func (r *authorizeRequest) checkResponseType() error {
	kind := audit.Detail("response_type", r.get("response_type"))
	switch r.get("response_type") {
	case "code":
		if !r.client.mayAuthorize() {
			return authorizeGrantOff.About(kind)
		}
		return nil
	case "token", "id_token", "id_token token", "token id_token": // known, but no client can have the implicit grant
		return authorizeGrantOff.About(kind)
	}
	return authorizeResponseType.About(kind)
}

// checkPKCE is step 7 (RFC 7636): S256 alone.
func (r *authorizeRequest) checkPKCE() error {
	challenge, method := r.get("code_challenge"), r.get("code_challenge_method")
	var reason string
	switch {
	case challenge == "" && method != "", challenge == "" && r.client.needsPKCE():
		reason = "missing"
	case challenge == "":
		return nil
	case method != "S256": // absent means plain
		reason = "method not S256"
	case !goodChallenge(challenge):
		reason = "malformed"
	default:
		return nil
	}
	return authorizeInvalid.About(audit.Detail("field", "code_challenge"), audit.Reason(reason))
}

// checkScope is step 8.
func (r *authorizeRequest) checkScope() error {
	var err error
	if r.scopes, err = resolveScopes(r.client.Client, r.get("scope")); err != nil {
		return authorizeScope.Because(err).About(audit.Detail("scope", r.get("scope")), audit.Reason(err.Error()))
	}
	return nil
}

// checkPrompt is step 9.
func (r *authorizeRequest) checkPrompt() error {
	r.prompt = strings.Fields(r.get("prompt"))
	for _, p := range r.prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return authorizeInvalid.About(audit.Detail("field", "prompt"), audit.Reason("unknown"))
		}
	}
	if r.asks("none") && len(r.prompt) > 1 {
		return authorizeInvalid.About(audit.Detail("field", "prompt"), audit.Reason("none is not alone"))
	}
	if age := r.get("max_age"); age != "" {
		seconds, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return authorizeInvalid.About(audit.Detail("field", "max_age"), audit.Reason("malformed"))
		}
		r.maxAge = int(seconds)
	}
	if len(strings.Fields(r.get("acr_values"))) > 1 {
		return authorizeInvalid.About(audit.Detail("field", "acr_values"), audit.Reason("more than one"))
	}
	return nil
}

// checkHint is step 9 too: id_token_hint must be an ID token of ours, of any age.
func (b *Browser) checkHint(ctx context.Context, r *authorizeRequest) error {
	hint := r.get("id_token_hint")
	if hint == "" {
		return nil
	}
	var claims jwt.RegisteredClaims
	err := b.Signing.Verify(ctx, "JWT", hint, &claims)
	if errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("verify id_token_hint: %w", err)
	}
	if err != nil || claims.Issuer != b.Issuer || claims.Subject == "" {
		return authorizeInvalid.Because(err).About(audit.Detail("field", "id_token_hint"), audit.Reason("not an ID token of this server"))
	}
	r.hinted = claims.Subject
	return nil
}

// clientFailure maps what the lookup of a client says.
func clientFailure(err error, id string) error {
	switch {
	case errors.Is(err, store.ErrRevoked):
		return authorizeUnknownClient.About(audit.Detail("client_id", id), audit.Reason("client disabled"))
	case errors.Is(err, store.ErrNotFound):
		return authorizeUnknownClient.About(audit.Detail("client_id", id), audit.Reason("unknown client"))
	}
	return err
}
