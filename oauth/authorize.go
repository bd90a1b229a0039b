package oauth

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"

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
	authorizeRequestObject = outcome.Failure{
		Code: outcome.RequestNotSupported, Audit: audit.AuthzRequestInvalid, Text: "request objects are not supported",
	}
	authorizeRequestURI = outcome.Failure{
		Code: outcome.RequestURINotSupported, Audit: audit.AuthzRequestInvalid, Text: "request_uri is not supported",
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

// badParameter is authorizeInvalid about one parameter, whose name and problem the developer of the client may read; neither is
// taken from the request.
func badParameter(name, reason string) outcome.Failure {
	failure := authorizeInvalid.About(audit.Detail("field", name), audit.Reason(reason))
	failure.Text = name + ": " + reason
	return failure
}

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
	responseType    responseType
	mode            string
	scopes          []string
	plain           bool // the code challenge is the verifier itself
	prompt          []string
	maxAge          int      // seconds; -1 = not given
	essentialACR    []string // of the parameter claims: one of them, or none will do
	hinted          string   // subject of id_token_hint
	provider        *settings.IdentityProvider
	providerParams  map[string][]string
	hookParams      map[string][]string
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
	to := r.reply(c)
	web.AnswerFailuresBy(c, b.fail(to))
	if err := r.checkForm(); err != nil {
		return err
	}
	to.mode = r.mode
	web.AnswerFailuresBy(c, b.fail(to))
	for _, check := range []func() error{r.checkResponseType, r.checkPKCE, r.checkScope, r.checkPrompt, r.checkNonce, r.checkClaims} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := b.checkHint(c.Request().Context(), r); err != nil {
		return err
	}
	var unchosen error
	r.provider, unchosen = b.chooseProvider(r.settings, r.client, r.get("idp"))
	if err := r.checkACR(); err != nil { // what is allowed depends on the provider, but comes before its choice
		return err
	}
	if unchosen != nil {
		return unchosen
	}
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	return b.begin(c, r, to)
}

// reply is how the request is answered as far as its parameters can be trusted before they are checked: the address has
// been, and an unreadable state is not sent back.
func (r *authorizeRequest) reply(c echo.Context) reply {
	to := reply{
		redirectURI: r.redirectURI, mode: modeQuery, clientName: r.client.name(),
		language: pages.Language(r.get("language"), r.get("ui_locales"), c.Request().Header.Get("Accept-Language")),
	}
	_ = r.checkMode() // fails later; the mode that answers is known all the same
	to.mode = r.mode
	if len(r.get("state")) <= maxState && len(r.values["state"]) == 1 && visible(r.get("state")) {
		to.state = r.get("state")
	}
	return to
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
