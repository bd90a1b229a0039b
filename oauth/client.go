package oauth

import (
	"errors"
	"strconv"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// clientFailures is how an endpoint refuses a client that cannot prove itself.
type clientFailures struct {
	ambiguous outcome.Failure // two ways to authenticate at once
	unknown   outcome.Failure // no such client
	wrong     outcome.Failure // the client is known, its proof is not good
}

const badClient = "the client could not be authenticated"

// How the token endpoint refuses clients (RFC 6749 §5.2). The answer never tells an unknown client from a wrong secret.
var tokenClientFailures = clientFailures{
	ambiguous: outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "use one way to authenticate the client",
	},
	unknown: outcome.Failure{Code: outcome.InvalidClient, Audit: audit.TokenRequestInvalidClient, Text: badClient},
	wrong:   outcome.Failure{Code: outcome.InvalidClient, Audit: audit.TokenRequestInvalidClientCredentials, Text: badClient},
}

// clientThrottled stands for all endpoints: too many failures of one client id within a minute. Its event is written
// once a minute.
var clientThrottled = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many failed attempts of this client, try again in a minute"}

// How an installation that has proved itself is refused all the same.
var (
	versionDisabled = outcome.Failure{
		Code: outcome.VersionDisabled, Audit: audit.ClientValidationVersionDisabled,
		Text: "this version of the app is disabled",
	}
	apiVersionDiffers = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.APIVersionNotAllowed,
		Text: "the installation is registered with another API version",
	}
)

// credentials reads what the request says about its client.
func credentials(c echo.Context, form web.Form) clientauth.Credentials {
	id, password, basic := web.BasicCredentials(c.Request())
	return clientauth.Credentials{
		Basic: basic, BasicID: id, BasicSecret: password, ID: form["client_id"], Secret: form["client_secret"],
		AssertionType: form["client_assertion_type"], Assertion: form["client_assertion"],
	}
}

// authenticate finds out which client is calling, and puts it into all later events of the request.
func (h *Handler) authenticate(c echo.Context, s *settings.Snapshot, form web.Form, f clientFailures) (clientauth.Client, error) {
	ctx := c.Request().Context()
	client, err := h.Clients.Authenticate(ctx, s, credentials(c, form))
	var refused *clientauth.Refused
	if errors.As(err, &refused) {
		return client, refuse(refused, f)
	}
	if err != nil {
		return client, err
	}
	audit.Know(ctx, audit.Client(client.ID))
	if !client.Public() { // anybody may say the id of a public one
		audit.Admit(ctx)
	}
	if i := client.Installation; i != nil {
		audit.Know(ctx, audit.App(i.Application, i.Platform, i.Version), audit.AppAgent(client.ID))
	}
	return client, nil
}

// refuse chooses the failure for a reason.
func refuse(r *clientauth.Refused, f clientFailures) error {
	reason := audit.Reason(string(r.Reason))
	switch {
	case r.Reason == clientauth.Throttled:
		failure := clientThrottled.Because(r)
		if r.Report > 0 {
			failure.Audit = audit.RateLimitExceeded
			failure = failure.About(audit.Client(r.ClientID), audit.Count("refusals", r.Report))
		}
		return failure
	case r.Reason == clientauth.Ambiguous:
		return f.ambiguous.Because(r).About(reason)
	case r.Known:
		return f.wrong.Because(r).About(audit.Client(r.ClientID), reason)
	case r.ClientID != "":
		return f.unknown.Because(r).About(audit.Detail("client_id", r.ClientID), reason)
	}
	return f.unknown.Because(r).About(reason)
}

// sameProtocol refuses an installation whose request names another API version than it is registered with.
func sameProtocol(c echo.Context, client clientauth.Client) error {
	i, header := client.Installation, c.Request().Header
	if i == nil || !appgate.APIVersionDiffers(header, *i) {
		return nil
	}
	return apiVersionDiffers.About(audit.Count("api_version", i.APIVersion),
		audit.Detail("presented", clipped(header.Get(appgate.APIVersionHeader), 8)), audit.Detail("route", c.Path()))
}

// enterVersion refuses an installation whose app version is disabled. One that tells of another version is moved there
// first, where that needs no proof.
func (h *Handler) enterVersion(c echo.Context, s *settings.Snapshot, client *clientauth.Client) error {
	i := client.Installation
	if i == nil {
		return nil
	}
	ctx := c.Request().Context()
	now, moved, err := h.Versions.Move(ctx, s, *i, c.Request().Header)
	if err != nil {
		return err
	}
	if now.Version != i.Version {
		*i = now
		client.Version = s.Version(i.Application, i.Platform, i.Version)
	}
	if moved {
		audit.Know(ctx, audit.App(i.Application, i.Platform, i.Version))
	}
	if !appgate.Usable(client.Version) {
		return versionDisabled
	}
	return nil
}

func clipped(s string, most int) string { return s[:min(len(s), most)] }

// appendText appends a JSON string. Tokens and scopes are ASCII without quotes, but the texts may come from settings.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return appendQuoted(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
