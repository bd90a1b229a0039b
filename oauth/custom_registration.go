package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How registration by API refuses clients: as the token endpoint does, but with 400 throughout.
var registrationClientFailures = clientFailures{
	ambiguous: tokenClientFailures.ambiguous,
	unknown:   outcome.Failure{Code: outcome.RefusedClient, Audit: audit.TokenRequestInvalidClient, Text: badClient},
	wrong:     outcome.Failure{Code: outcome.RefusedClient, Audit: audit.TokenRequestInvalidClientCredentials, Text: badClient},
}

// RegistrationClient finds out which client wants to register a user by API: by its Basic header, or by the assertion that came
// in the body. An installation is moved to the app version that its request names. Errors: an outcome.Failure.
func (h *Handler) RegistrationClient(c echo.Context, s *settings.Snapshot, assertionType, assertion string) (clientauth.Client, error) {
	form := web.Form{}
	if assertionType != "" || assertion != "" {
		form["client_assertion_type"], form["client_assertion"] = assertionType, assertion
	}
	client, err := h.authenticate(c, s, form, registrationClientFailures)
	if err != nil {
		return client, err
	}
	if err := sameProtocol(c, client); err != nil {
		return client, err
	}
	if err := h.enterVersion(c, s, &client); err != nil {
		return client, err
	}
	h.Tokens.Ready(c.Request().Context(), encryptionOf(client))
	return client, nil
}

// RegistrationScopes resolves the scopes that a registration by API asks for; none asked means the client's defaults. Errors: an
// outcome.Failure.
func (h *Handler) RegistrationScopes(client clientauth.Client, asked []string) ([]string, error) {
	for _, scope := range asked {
		if !scopeToken(scope) {
			return nil, tokenScopeInvalid.Because(errScopeMalformed).About(audit.List("scopes", asked))
		}
	}
	scopes, err := resolveScopes(client, strings.Join(asked, " "))
	if err != nil {
		return nil, tokenScopeInvalid.Because(err).About(audit.List("scopes", asked))
	}
	return scopes, nil
}

// RegistrationProfile says what is wrong with the profile id that an app chose. Errors: an outcome.Failure.
func (h *Handler) RegistrationProfile(id string) error {
	if goodProfileID(id) {
		return nil
	}
	reason := "malformed"
	if id == "" {
		reason = "missing"
	}
	return profileInvalid.About(audit.Detail("profile_id", clipped(id, 16)), audit.Reason(reason))
}

// RegistrationTokens puts a person onto an installation and issues the tokens of g, which says kind, scopes, profile and what is
// known of the sign-in; the client's settings say the rest. A stateless registration leaves no profile behind, and gives no
// refresh token. It joins the transaction of ctx. Errors: an outcome.Failure, after which the transaction may commit.
func (h *Handler) RegistrationTokens(ctx context.Context, s *settings.Snapshot, client clientauth.Client, person store.Account, g token.Grant) (token.Issued, error) {
	full := baseGrant(s, client, g.Scopes)
	full.Kind, full.UserID, full.HookParams = g.Kind, person.ID, g.HookParams
	full.AuthTime, full.ACR, full.AMR, full.AccessClaims = g.AuthTime, g.ACR, g.AMR, g.AccessClaims
	switch {
	case g.Kind == store.StatelessToken:
		full.ProfileID, full.Refresh = "", false
	case client.Installation != nil:
		full.ProfileID = g.ProfileID
		if err := h.enter(ctx, client, g.ProfileID, person.ID); err != nil {
			return token.Issued{}, err
		}
	}
	if err := describe(&full, s, person, nil); err != nil {
		return token.Issued{}, err
	}
	issued, err := h.Tokens.Issue(ctx, full)
	if errors.Is(err, token.ErrIDToken) {
		return token.Issued{}, noIDToken(err)
	}
	return issued, err
}
