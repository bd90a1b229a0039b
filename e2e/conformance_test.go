package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// module is one module of the conformance suite of the OpenID Foundation, under its name there.
type module struct {
	name string
	run  func(rp *relyingParty)
}

// TestConformance does what the modules of the Basic and the Form Post Basic plans for OpenID providers do, each in the
// response modes of both. docs/conformance.md lists all plans.
func TestConformance(t *testing.T) {
	for _, m := range basicModules() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range []string{"query", "form_post"} {
				t.Run(mode, func(t *testing.T) {
					rp := newRelyingParty(t, cluster(t), rpBasic)
					rp.mode = mode
					m.run(rp)
				})
			}
		})
	}
	for _, m := range slices.Concat(configModules(), logoutModules(), channelModules()) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.run(newRelyingParty(t, cluster(t), rpBasic))
		})
	}
}

// basicModules are those of the Basic plan, in its order.
func basicModules() []module {
	succeeds := func(change map[string]string) func(*relyingParty) {
		return func(rp *relyingParty) { rp.signedIn(change) }
	}
	return []module{
		{"oidcc-server", conformServer},
		{"oidcc-response-type-missing", conformResponseTypeMissing},
		{"oidcc-idtoken-signature", conformSignature},
		{"oidcc-idtoken-unsigned", conformUnsigned},
		{"oidcc-userinfo-get", conformUserinfo(func(access string) request { return request{bearer: access} })},
		{"oidcc-userinfo-post-header", conformUserinfo(func(access string) request {
			return request{method: http.MethodPost, bearer: access}
		})},
		{"oidcc-userinfo-post-body", conformUserinfo(func(access string) request {
			return request{form: url.Values{"access_token": {access}}}
		})},
		{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", succeeds(map[string]string{"nonce": ""})},
		{"oidcc-scope-profile", conformScope("profile", "name", "given_name", "family_name", "nickname", "preferred_username", "gender", "birthdate", "locale")},
		{"oidcc-scope-email", conformScope("email", "email", "email_verified")},
		{"oidcc-scope-address", conformScope("address", "address")},
		{"oidcc-scope-phone", conformScope("phone", "phone_number", "phone_number_verified")},
		{"oidcc-scope-all", conformScope("profile email address phone", "name", "email", "address", "phone_number")},
		{"oidcc-ensure-other-scope-order-succeeds", succeeds(map[string]string{"scope": "email openid"})},
		{"oidcc-alternate-happy-flow", succeeds(map[string]string{"scope": "email openid", "max_age": "15000"})},
		{"oidcc-display-page", succeeds(map[string]string{"display": "page"})},
		{"oidcc-display-popup", succeeds(map[string]string{"display": "popup"})},
		{"oidcc-prompt-login", conformAgain(map[string]string{"prompt": "login"})},
		{"oidcc-prompt-none-not-logged-in", conformNotLoggedIn},
		{"oidcc-prompt-none-logged-in", conformSilent(map[string]string{"prompt": "none"})},
		{"oidcc-max-age-1", conformAgain(map[string]string{"max_age": "1"})},
		{"oidcc-max-age-10000", conformSilent(map[string]string{"max_age": "10000"})},
		{"oidcc-ensure-request-with-unknown-parameter-succeeds", succeeds(map[string]string{"extra": "foobar"})},
		{"oidcc-id-token-hint", conformHint},
		{"oidcc-login-hint", succeeds(map[string]string{"login_hint": rpUser})},
		{"oidcc-ui-locales", succeeds(map[string]string{"ui_locales": "se"})},
		{"oidcc-claims-locales", succeeds(map[string]string{"claims_locales": "se"})},
		{"oidcc-ensure-request-with-acr-values-succeeds", succeeds(map[string]string{"acr_values": "1"})},
		{"oidcc-codereuse", conformReuse(false)},
		{"oidcc-codereuse-30seconds", conformReuse(true)},
		{"oidcc-ensure-registered-redirect-uri", conformRedirect},
		{"oidcc-ensure-post-request-succeeds", conformPost},
		{"oidcc-server-client-secret-post", func(rp *relyingParty) {
			rp.post = true
			rp.signedIn(nil)
		}},
		{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", conformRequestObject("request_uri")},
		{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", conformRequestObject("request")},
		{"oidcc-claims-essential", conformEssential},
		{"oidcc-ensure-request-object-with-redirect-uri", conformRequestObject("request")},
		{"oidcc-refresh-token", conformRefresh},
		{"oidcc-ensure-request-with-valid-pkce-succeeds", conformPKCE},
	}
}

// conformServer: a plain sign-in, its ID token and userinfo.
func conformServer(rp *relyingParty) {
	got, id := rp.signedIn(nil)
	if !strings.EqualFold(got.Type, "bearer") || got.Expires <= 0 {
		rp.t.Errorf("token_type %q, expires_in %d", got.Type, got.Expires)
	}
	now := time.Now()
	if id.Issuer != rp.d.base || id.Subject != "u-"+rpUser || !slices.Equal(id.Audience, []string{rp.id}) || id.Expiry.Before(now) ||
		now.Sub(id.IssuedAt).Abs() > time.Minute || id.authTime() == 0 {
		rp.t.Errorf("claims of the ID token: %v", id.claims)
	}
	if sub := rp.userinfo(request{bearer: got.Access})["sub"]; sub != id.Subject {
		rp.t.Errorf("userinfo is about %v", sub)
	}
}

func conformResponseTypeMissing(rp *relyingParty) {
	rp.mode = "" // nothing is known of an answer without a type
	back, err := rp.open(rp.request(map[string]string{"response_type": ""}))
	if err != nil || back.Get("error") != "invalid_request" {
		rp.t.Errorf("answered %v, %v; want invalid_request", back, err)
	}
}

// conformSignature: signed with a key of the JWK set, which the header names.
func conformSignature(rp *relyingParty) {
	got, _ := rp.signedIn(nil)
	header := jwtPart(rp.t, got.ID, 0)
	if header["kid"] == nil || header["kid"] == "" || header["alg"] == "none" {
		rp.t.Errorf("header %v", header)
	}
}

// conformUnsigned: a code flow never brings an ID token without a signature, and none is offered.
func conformUnsigned(rp *relyingParty) {
	offered, _ := rp.document()["id_token_signing_alg_values_supported"].([]any)
	if len(offered) == 0 || slices.Contains(offered, any("none")) {
		rp.t.Errorf("algorithms %v", offered)
	}
	got, _ := rp.signedIn(nil)
	parts := strings.Split(got.ID, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	back, err := rp.open(rp.request(map[string]string{"id_token_hint": forged, "prompt": "none"}))
	if err != nil || back.Get("error") != "invalid_request" {
		rp.t.Errorf("an unsigned hint: %v, %v", back, err)
	}
}

func conformUserinfo(ask func(access string) request) func(*relyingParty) {
	return func(rp *relyingParty) {
		got, id := rp.signedIn(nil)
		if claims := rp.userinfo(ask(got.Access)); claims["sub"] != id.Subject {
			rp.t.Errorf("claims %v", claims)
		}
	}
}

// conformScope: the claims of the scopes are in userinfo, and no other ones of OpenID Connect Core §5.1.
func conformScope(scopes string, claims ...string) func(*relyingParty) {
	return func(rp *relyingParty) {
		got, _ := rp.signedIn(map[string]string{"scope": "openid " + scopes})
		info := rp.userinfo(request{bearer: got.Access})
		for _, name := range claims {
			if info[name] == nil {
				rp.t.Errorf("%s is missing: %v", name, info)
			}
		}
		for name, carrier := range map[string]string{"email": "email", "address": "address", "phone_number": "phone", "family_name": "profile"} {
			if info[name] != nil && !strings.Contains(scopes, carrier) {
				rp.t.Errorf("%s without scope %s", name, carrier)
			}
		}
	}
}

// conformAgain: a user who is signed in has to sign in once more, and auth_time says so.
func conformAgain(change map[string]string) func(*relyingParty) {
	return func(rp *relyingParty) {
		_, first := rp.signedIn(nil)
		time.Sleep(time.Until(time.Unix(int64(first.authTime())+2, 0))) // auth_time counts whole seconds
		_, second := rp.signedIn(change)
		if second.Subject != first.Subject || second.authTime() <= first.authTime() {
			rp.t.Errorf("signed in at %v and again at %v", first.authTime(), second.authTime())
		}
	}
}

// conformSilent: a user who is signed in is not asked, and auth_time stays.
func conformSilent(change map[string]string) func(*relyingParty) {
	return func(rp *relyingParty) {
		_, first := rp.signedIn(map[string]string{"max_age": "20000"})
		rp.person.Password = "not to be asked for"
		_, second := rp.signedIn(change)
		if second.Subject != first.Subject || second.authTime() != first.authTime() {
			rp.t.Errorf("%v, then %v", first.claims, second.claims)
		}
	}
}

func conformNotLoggedIn(rp *relyingParty) {
	back := rp.answered(rp.request(map[string]string{"prompt": "none"}))
	if word := back.Get("error"); word != "login_required" && word != "interaction_required" {
		rp.t.Errorf("answered %v", back)
	}
}

func conformHint(rp *relyingParty) {
	got, first := rp.signedIn(nil)
	_, second := rp.signedIn(map[string]string{"prompt": "none", "id_token_hint": got.ID})
	if second.Subject != first.Subject {
		rp.t.Errorf("hinted at %s, got %s", first.Subject, second.Subject)
	}
}

// conformReuse: the second use of a code fails, at the latest then what came from the first one ends.
func conformReuse(later bool) func(*relyingParty) {
	return func(rp *relyingParty) {
		back := rp.answered(rp.request(nil))
		got, _ := rp.redeem(back)
		if later {
			rp.userinfo(request{bearer: got.Access})
			if response := rp.send(request{path: "/v1/userinfo", bearer: got.Access}); response.status != http.StatusOK {
				rp.t.Fatalf("the token is not good before the second use: %d", response.status)
			}
		}
		if _, again := rp.redeem(back); again.status != http.StatusBadRequest || again.word() != "invalid_grant" {
			rp.t.Errorf("second use: %d %s", again.status, again.body)
		}
		rp.ends(got.Access)
	}
}

// ends waits until a token is worth nothing: the other process hears of a revocation within two seconds.
func (rp *relyingParty) ends(access string) {
	rp.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		response := rp.send(request{path: "/v1/userinfo", bearer: access})
		if response.status == http.StatusUnauthorized {
			return
		}
		if response.status != http.StatusOK || time.Now().After(deadline) {
			rp.t.Fatalf("an access token that has ended: %d", response.status)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// conformRedirect: an address that is not registered is shown to the user, and never gone to.
func conformRedirect(rp *relyingParty) {
	query := rp.request(map[string]string{"redirect_uri": rpRedirect + "/" + randomText(6)})
	response := rp.send(request{path: "/v1/authorize?" + query.Encode(), header: http.Header{"Accept": {"text/html"}}})
	if response.status != http.StatusBadRequest || response.header.Get("Location") != "" {
		rp.t.Errorf("%d, to %q", response.status, response.header.Get("Location"))
	}
}

// conformPost: the authorization request may be a form post.
func conformPost(rp *relyingParty) {
	response := rp.send(request{path: "/v1/authorize", form: rp.request(nil)})
	if response.status != http.StatusSeeOther || strings.Contains(response.header.Get("Location"), "error=") {
		rp.t.Errorf("%d, to %q", response.status, response.header.Get("Location"))
	}
}

// conformRequestObject: request objects are not supported, and the answer says so; none of their content has any effect.
func conformRequestObject(parameter string) func(*relyingParty) {
	return func(rp *relyingParty) {
		if supported := rp.document()[parameter+"_parameter_supported"]; supported != false {
			rp.t.Errorf("%s_parameter_supported is %v", parameter, supported)
		}
		object := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"redirect_uri":"https://evil.example.org/"}`)) + "."
		if parameter == "request_uri" {
			object = "https://evil.example.org/object"
		}
		back := rp.answered(rp.request(map[string]string{parameter: object}))
		if back.Get("error") != parameter+"_not_supported" || back.Get("code") != "" {
			rp.t.Errorf("answered %v", back)
		}
	}
}

// conformEssential: asking for a claim by itself does no harm, and does not get around the scope that the user agrees to.
func conformEssential(rp *relyingParty) {
	claims := map[string]string{"claims": `{"userinfo":{"name":{"essential":true}}}`}
	got, _ := rp.signedIn(claims)
	if info := rp.userinfo(request{bearer: got.Access}); info["name"] != nil {
		rp.t.Errorf("a name without its scope: %v", info)
	}
	claims["scope"] = "openid profile"
	got, _ = rp.signedIn(claims)
	if info := rp.userinfo(request{bearer: got.Access}); info["name"] == nil {
		rp.t.Errorf("no name in %v", info)
	}
}

// conformRefresh: a refresh brings another ID token about the same sign-in; nobody else can use the refresh token.
func conformRefresh(rp *relyingParty) {
	got, first := rp.signedIn(nil)
	stranger := *rp
	stranger.id = rpOther
	if _, refused := stranger.tokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}); refused.word() != "invalid_grant" {
		rp.t.Errorf("another client: %d %s", refused.status, refused.body)
	}
	next, response := rp.tokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}})
	if response.status != http.StatusOK {
		rp.t.Fatalf("refresh: %d %s", response.status, response.body)
	}
	second := rp.verified(next)
	if second.Subject != first.Subject || second.Issuer != first.Issuer || !slices.Equal(second.Audience, first.Audience) ||
		second.authTime() != first.authTime() || second.Nonce != "" {
		rp.t.Errorf("%v, then %v", first.claims, second.claims)
	}
	rp.userinfo(request{bearer: next.Access})
}

func conformPKCE(rp *relyingParty) {
	verifier := randomText(32)
	sum := sha256.Sum256([]byte(verifier))
	query := rp.request(map[string]string{"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256"})
	got, response := rp.redeem(rp.answered(query), "code_verifier", verifier)
	if response.status != http.StatusOK {
		rp.t.Fatalf("token request: %d %s", response.status, response.body)
	}
	rp.verified(got)
}
