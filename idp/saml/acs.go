package saml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the answer of an identity provider fails, apart from the lack of a transaction. It succeeds with 303 to where the
// journey goes on. What is wrong with a response is told to the client with the SAML status, and in detail to the log only.
var (
	consumeMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.IDPSamlLoginFailed, Text: "the request carries no SAML response",
	}
	consumeRefused = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginFailed, Text: "the answer of the identity provider is not usable",
	}
	consumeDenied = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.IDPSamlLoginFailed, Text: "the identity provider did not sign the user in",
	}
	consumeStale = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.IDPSamlLoginFailed, Text: "the user did not sign in anew",
	}
	consumeNoLogin = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.AuthnRequestLoginRequired, Text: "the user is not signed in",
	}
	consumeReplay = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginReplayDetected, Text: "the answer of the identity provider was used before",
	}
	consumeAgain = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.IDPSamlLoginReplayDetected, Text: "the answer of the identity provider was used before",
	}.With("page", "error.transaction")
	consumeNobody = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginUserIDNotFound, Text: "the identity provider names no user",
	}
	consumeUnmapped = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginMappedUserIDNotFound, Text: "the identity provider names no user",
	}
)

// The members of an error response that tell what the identity provider said.
const (
	memberStatus = "onegini_saml_error"
	memberCause  = "onegini_error_cause"
)

// ownPost marks a response that came from a page of ours.
const ownPost = "again"

// consume answers the assertion consumer service: a response that the browser posts from the identity provider's page.
func (p *ServiceProvider) consume(c echo.Context) error {
	form, err := web.BindForm(c)
	switch {
	case err != nil:
		return consumeMalformed.Because(err).About(audit.Reason("not a form"))
	case form[parameterResponse] == "":
		return consumeMalformed.About(audit.Reason("no response"))
	case form[parameterRelay] == "":
		return transactionMissing.About(audit.Reason("unsolicited response"))
	}
	a, _, err := p.Journey.Waiting(c, form[parameterRelay])
	switch {
	case errors.Is(err, store.ErrRevoked) && form[ownPost] == "":
		return p.postAgain(c, form)
	case errors.Is(err, store.ErrConflict):
		return consumeAgain.About(audit.Reason("the user is known already"))
	case err != nil:
		return gone(err)
	}
	audit.Admit(c.Request().Context())
	if err := p.identify(c, a, form[parameterResponse]); err != nil {
		return p.fail(c, a, err)
	}
	web.NoStore(c)
	return c.Redirect(http.StatusSeeOther, p.Journey.GoOnURL(a.ID))
}

// postAgain has the browser send the same form from a page of ours: cookies that other sites' forms do not carry, as
// that of the transaction is, come along then.
func (p *ServiceProvider) postAgain(c echo.Context, form web.Form) error {
	web.NoStore(c)
	return p.Pages.Post(c, http.StatusOK, pages.Post{
		Language: pages.Language("", "", c.Request().Header.Get("Accept-Language")), Target: p.acs(),
		Fields: url.Values{parameterResponse: {form[parameterResponse]}, parameterRelay: {form[parameterRelay]}, ownPost: {"1"}},
	})
}

// identify believes the response or not, and says who the user is.
func (p *ServiceProvider) identify(c echo.Context, a store.Authorization, response string) error {
	ctx := c.Request().Context()
	x, err := p.sidesOf(a)
	if err != nil {
		return err
	}
	said, err := p.read(ctx, a, x, response)
	if err != nil {
		return p.failureOf(a, err)
	}
	id, err := x.identityOf(said)
	if err != nil {
		return err
	}
	// Consume before granting: a fault from here on costs another sign-in, never a replay.
	used := sha256.Sum256([]byte(x.provider.SAML.EntityID + "\x00" + said.id))
	_, err = p.Once.ClaimOnce(ctx, "saml-assertion", hex.EncodeToString(used[:]), "", said.until.Add(2*clockSkew))
	switch {
	case errors.Is(err, store.ErrConflict):
		return consumeReplay.With(memberStatus, statusResponder).About(audit.Detail("idp", a.Provider))
	case err != nil:
		return fmt.Errorf("remember assertion: %w", err)
	}
	if err := p.remember(ctx, x.provider, said, id.UserID); err != nil {
		return err
	}
	err = p.Journey.Identified(c, a, id)
	var refused outcome.Failure // looked for first: it may have a conflict of its own as its cause
	if err == nil || !errors.As(err, &refused) && errors.Is(err, store.ErrConflict) {
		return nil
	}
	return fmt.Errorf("hand over the user: %w", err)
}

// read takes the response apart. When the signature does not fit, the provider may have new keys.
func (p *ServiceProvider) read(ctx context.Context, a store.Authorization, x sides, response string) (assertion, error) {
	idp, err := p.Source.of(ctx, x.provider.SAML, false)
	if err != nil {
		return assertion{}, err
	}
	expected := expectation{
		issuer: x.provider.SAML.EntityID, audience: x.entityID, acs: p.acs(), certificates: idp.certificates, now: p.Now(),
		answers: func(id string) bool { return p.answers(a, id) }, encrypted: x.us.EncryptAssertions,
		maxAge: time.Duration(a.MaxAge) * time.Second,
	}
	if a.ForceLogin {
		expected.notBefore = a.CreatedAt
	}
	switch keys, err := decryptionPair(x.us); {
	case err == nil:
		expected.decryption = keys.key
	case !errors.Is(err, errNoKey) || x.us.EncryptAssertions:
		return assertion{}, notSetUp.Because(err).About(audit.Detail("idp", a.Provider), audit.Reason("no decryption key"))
	}
	said, err := expected.read(response)
	if !errors.Is(err, errSignature) || x.provider.SAML.MetadataURL == "" {
		return said, err
	}
	fresh, freshErr := p.Source.of(ctx, x.provider.SAML, true)
	if freshErr != nil || slices.EqualFunc(fresh.certificates, idp.certificates, sameCertificate) {
		return said, err
	}
	expected.certificates = fresh.certificates
	return expected.read(response)
}

// failureOf says how an unusable response is answered.
func (p *ServiceProvider) failureOf(a store.Authorization, err error) error {
	about := audit.Detail("idp", a.Provider)
	var failure outcome.Failure
	var status statusError
	var refused refusal
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.As(err, &status):
		failure = consumeRefused
		switch status.code {
		case statusNoPassive:
			failure = consumeNoLogin
		case statusAuthnFailed, statusDenied:
			failure = consumeDenied
		}
		failure = failure.With(memberStatus, status.code).About(about, audit.Detail("status", status.code))
		if status.cause != "" {
			failure = failure.With(memberCause, status.cause).About(audit.Detail("cause", status.cause))
		}
		return failure.Because(err)
	case errors.Is(err, refusedStale):
		failure = consumeStale.About(about, audit.Reason(string(refusedStale)))
	case errors.As(err, &refused):
		failure = consumeRefused.About(about, audit.Reason(string(refused)))
	default:
		failure = consumeRefused.About(about, audit.Reason(reasonOf(err)))
	}
	return failure.With(memberStatus, statusResponder).Because(err)
}

// reasonOf names the sentinel behind an error.
func reasonOf(err error) string {
	for _, known := range []error{errUnsigned, errAlgorithm, errSignature, errDecrypt, errDocument, errMetadata} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "no metadata"
}

// identityOf takes over what a provider said about the user. Errors: consumeNobody, consumeUnmapped.
func (x sides) identityOf(said assertion) (store.Identity, error) {
	p := x.provider
	id := store.Identity{
		UserID: said.nameID.Value, Attributes: said.byName(p), ACR: said.context, AuthTime: said.authTime,
		ProviderSession: said.sessionIndex,
	}
	about := audit.Detail("idp", p.ID)
	if from, isMapped := mapped(p, "userId"); isMapped {
		if id.UserID = id.Attributes.Text(from); id.UserID == "" {
			return store.Identity{}, consumeUnmapped.With(memberStatus, statusResponder).About(about, audit.Detail("attribute", from))
		}
	}
	if id.UserID == "" {
		return store.Identity{}, consumeNobody.With(memberStatus, statusResponder).About(about)
	}
	if level, isMapped := mapped(p, "authenticationLevel"); isMapped || len(p.AttributeMappings) == 0 {
		id.Level = id.Attributes.Text(level)
	}
	if level, ok := levelOf(said.context); ok && id.Level == "" {
		id.Level = level
	}
	from, err := json.Marshal(signedIn{NameID: said.nameID, EntityID: x.entityID})
	if err != nil {
		return store.Identity{}, fmt.Errorf("keep name id: %w", err)
	}
	id.ProviderToken = string(from)
	return id, nil
}
