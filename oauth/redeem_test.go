package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokenserver/internal/audittest"
)

// redeemed is what a code was worth.
type redeemed struct {
	AccessToken string         `json:"access_token"`
	IDToken     string         `json:"id_token"`
	Scope       string         `json:"scope"`
	claims      map[string]any // of the ID token
}

// redeem redeems the code of an answer of the web client and returns the tokens. The codes of the events are dropped.
func (s *browserServer) redeem(t *testing.T, a audittest.Answer, form ...string) redeemed {
	t.Helper()
	back := answerOf(t, a)
	values := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	got := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/token", Basic: []string{"web", "web secret"}, Form: values})
	var r redeemed
	if err := json.Unmarshal([]byte(got.Body), &r); err != nil || got.Status != http.StatusOK {
		t.Fatalf("redeem: %d %s", got.Status, got.Body)
	}
	if r.IDToken != "" {
		r.claims = claimsInside(t, r.IDToken)
	}
	s.Codes(t)
	return r
}

// claimsInside returns the claims of a JWS without a look at its signature.
func claimsInside(t *testing.T, compact string) map[string]any {
	t.Helper()
	parts := strings.Split(compact, ".")
	claims := map[string]any{}
	if len(parts) != 3 {
		t.Fatalf("no JWS: %s", compact)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatalf("no JWS: %s", compact)
	}
	return claims
}
