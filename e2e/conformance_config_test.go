package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// configModules are those of the Config plan, and the discovery modules of the logout plans.
func configModules() []module {
	return []module{
		{"oidcc-discovery-endpoint-verification", conformDiscovery},
		{"oidcc-rp-initiated-logout-discovery-endpoint-verification", conformMember("end_session_endpoint", "")},
		{"oidcc-frontchannel-logout-discovery-endpoint-verification", func(rp *relyingParty) {
			conformMember("frontchannel_logout_supported", true)(rp)
			conformMember("frontchannel_logout_session_supported", true)(rp)
		}},
		{"oidcc-backchannel-logout-discovery-endpoint-verification", func(rp *relyingParty) {
			conformMember("backchannel_logout_supported", true)(rp)
			conformMember("backchannel_logout_session_supported", true)(rp)
		}},
	}
}

// conformMember: the document has a member of that value; "" = any address of the server.
func conformMember(name string, want any) func(*relyingParty) {
	return func(rp *relyingParty) {
		got := rp.document()[name]
		if want == "" {
			address, _ := got.(string)
			if !strings.HasPrefix(address, rp.d.base+"/") {
				rp.t.Errorf("%s is %v", name, got)
			}
			return
		}
		if got != want {
			rp.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// conformDiscovery: OpenID Connect Discovery §3 and §4, and what the document leads to.
func conformDiscovery(rp *relyingParty) {
	document := rp.document()
	if document["issuer"] != rp.d.base {
		rp.t.Errorf("issuer %v", document["issuer"])
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
		if address, _ := document[name].(string); !strings.HasPrefix(address, rp.d.base+"/") {
			rp.t.Errorf("%s is %v", name, document[name])
		}
	}
	for name, wants := range map[string][]string{
		"scopes_supported": {"openid"}, "response_types_supported": {"code"}, "subject_types_supported": {"public"},
		"grant_types_supported":                 {"authorization_code", "refresh_token"},
		"id_token_signing_alg_values_supported": {"ES256"},
		"token_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post"},
		"claims_supported":                      {"sub", "name", "email"}, "response_modes_supported": {"query", "form_post"},
		"code_challenge_methods_supported": {"S256"},
	} {
		list, _ := document[name].([]any)
		for _, want := range wants {
			if !slices.Contains(list, any(want)) {
				rp.t.Errorf("%s lacks %s: %v", name, want, list)
			}
		}
	}
	response := rp.send(request{path: strings.TrimPrefix(document["jwks_uri"].(string), rp.d.base)})
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(response.body, &set); err != nil || response.status != http.StatusOK || len(set.Keys) == 0 {
		rp.t.Fatalf("JWK set: %d %v", response.status, err)
	}
	ids := map[string]bool{}
	for _, key := range set.Keys {
		if key["kid"] == "" || ids[key["kid"]] || key["use"] != "sig" || key["d"] != "" || key["kty"] == "oct" {
			rp.t.Errorf("key %v", key)
		}
		ids[key["kid"]] = true
	}
}

// jwtPart decodes one part of a JWT: 0 is the header, 1 the claims.
func jwtPart(t *testing.T, text string, index int) map[string]any {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts, want a JWS", len(parts))
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[index])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(decoded, &members); err != nil {
		t.Fatal(err)
	}
	return members
}
