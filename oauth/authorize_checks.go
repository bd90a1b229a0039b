package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/store"
)

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

// checkForm is step 5: repetitions, request objects, the presence of response_type, state and nonce, the response mode.
func (r *authorizeRequest) checkForm() error {
	for name, list := range r.values {
		if len(list) > 1 && !repeatable(name) {
			return authorizeInvalid.About(audit.Detail("field", clipped(name, 64)), audit.Reason("repeated"))
		}
	}
	switch {
	case r.get("request") != "":
		return authorizeRequestObject.About(audit.Detail("field", "request"))
	case r.get("request_uri") != "":
		return authorizeRequestURI.About(audit.Detail("field", "request_uri"))
	case r.get("response_type") == "":
		return badParameter("response_type", "missing")
	case len(r.get("state")) > maxState:
		return badParameter("state", "too long")
	case len(r.get("nonce")) > maxNonce:
		return badParameter("nonce", "too long")
	case !visible(r.get("state")):
		return badParameter("state", "malformed")
	case !visible(r.get("nonce")):
		return badParameter("nonce", "malformed")
	}
	if err := r.checkMode(); err != nil {
		return err
	}
	return r.checkCustom()
}

// checkMode decides how the answer travels: a code in the query, what the implicit grant makes in the fragment, either in
// a form that the browser posts to a web address.
func (r *authorizeRequest) checkMode() error {
	kind, known := responseTypes(r.get("response_type"))
	r.responseType, r.mode = kind, modeQuery
	if known && kind.implicit() {
		r.mode = modeFragment
	}
	switch asked := r.get("response_mode"); {
	case asked == "", asked == r.mode:
		return nil
	case asked == modeForm && (strings.HasPrefix(r.redirectURI, "https://") || strings.HasPrefix(r.redirectURI, "http://")):
		r.mode = modeForm
		return nil
	}
	return badParameter("response_mode", "unsupported")
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
	asked := audit.Detail("response_type", clipped(r.get("response_type"), 128))
	kind, known := responseTypes(r.get("response_type"))
	switch {
	case !known:
		return authorizeResponseType.About(asked)
	case kind.implicit() && !r.client.mayImplicit(), !kind.implicit() && !r.client.mayAuthorize():
		return authorizeGrantOff.About(asked)
	}
	return nil
}

// checkPKCE is step 7 (RFC 7636): S256, and plain where the settings allow it. Only a code has a verifier.
func (r *authorizeRequest) checkPKCE() error {
	if r.responseType.implicit() {
		return nil
	}
	challenge, method := r.get("code_challenge"), r.get("code_challenge_method")
	var reason string
	switch {
	case challenge == "" && method != "", challenge == "" && r.client.needsPKCE():
		reason = "missing"
	case challenge == "":
		return nil
	case method == "S256" && goodChallenge(challenge):
		return nil
	case method == "S256":
		reason = "malformed"
	case method != "" && method != "plain":
		reason = "method unknown"
	case !r.settings.Document.OAuth.PKCEPlainAllowed: // absent means plain
		reason = "method not S256"
	case !goodVerifier(challenge):
		reason = "malformed"
	default:
		r.plain = true
		return nil
	}
	return badParameter("code_challenge", reason)
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
			return badParameter("prompt", "unknown")
		}
	}
	if r.asks("none") && len(r.prompt) > 1 {
		return badParameter("prompt", "none is not alone")
	}
	if age := r.get("max_age"); age != "" {
		seconds, err := strconv.ParseUint(age, 10, 31)
		if err != nil {
			return badParameter("max_age", "malformed")
		}
		r.maxAge = int(seconds)
	}
	return nil
}

// checkNonce is step 9 too: an ID token that travels through the browser needs a nonce (OpenID Connect Core §3.2.2.1),
// and the scope that asks for one.
func (r *authorizeRequest) checkNonce() error {
	switch {
	case !r.responseType.idToken():
		return nil
	case r.get("nonce") == "":
		return badParameter("nonce", "missing")
	case !slices.Contains(r.scopes, scopeOpenID):
		return badParameter("scope", "an ID token needs openid")
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
		return badParameter("id_token_hint", "not an ID token of this server").Because(err)
	}
	r.hinted = claims.Subject
	return nil
}
