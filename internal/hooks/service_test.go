package hooks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/audittest"
	"tokenserver/internal/hooks"
	"tokenserver/internal/keys"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

// kit is a Service in front of a hook that answers as the test says.
type kit struct {
	*hooks.Service
	env    *audittest.Env
	ring   *keys.Ring
	hook   settings.WebHook
	log    strings.Builder
	status int
	says   string
	asked  atomic.Int64
	path   string
	body   string
	header http.Header
}

func newKit(t *testing.T, kind settings.HookType) *kit {
	t.Helper()
	k := &kit{env: audittest.New(t), status: http.StatusOK, says: "{}"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		k.path, k.body, k.header = r.URL.Path, string(body), r.Header
		w.WriteHeader(k.status)
		_, _ = io.WriteString(w, k.says)
	}))
	t.Cleanup(server.Close)
	k.ring = &keys.Ring{Store: k.env.Store, Keys: k.env.Keys, Algorithm: keys.ES256, Now: k.env.Now, NewID: k.env.NewID}
	if err := k.ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.Service = &hooks.Service{
		Client: hooks.NewClient(outbound.Loopback()), Sign: k.ring, Issuer: k.env.Issuer, Now: k.env.Now, NewID: k.env.NewID,
		Log: slog.New(slog.NewTextHandler(&k.log, nil)),
	}
	k.hook = settings.WebHook{
		ID: "My Hook", Type: kind, BaseURI: server.URL + "/base/", Authentication: settings.HookNone,
		SigningSecret: settings.NewSecret("whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))),
	}
	return k
}

func (k *kit) token(t *testing.T, scopes ...string) (hooks.TokenAnswer, error) {
	t.Helper()
	return k.CustomizeToken(t.Context(), &k.hook, hooks.TokenQuestion{UserID: "u1", ClientID: "web", Scopes: scopes})
}

func TestTokenAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, says     string
		status         int
		scopes         []string
		removed        []string
		claims, reason string
	}{
		{name: "nothing", says: `{}`, scopes: []string{"a", "b"}},
		{name: "nulls", says: `{"removeScopes":null,"additionalClaims":null}`, scopes: []string{"a", "b"}},
		{name: "unknown members", says: `{"more":1}`, scopes: []string{"a", "b"}},
		{name: "one scope less", says: `{"removeScopes":["a","zzz"]}`, scopes: []string{"b"}, removed: []string{"a"}},
		{name: "none left", says: `{"removeScopes":["b","a"]}`, removed: []string{"a", "b"}},
		{
			name: "claims", says: `{"additionalClaims":{"tier":"gold","n":12345678901234567890,"gone":null,"list":[1,{"x":null}]}}`,
			scopes: []string{"a", "b"}, claims: `{"list":[1,{"x":null}],"n":12345678901234567890,"tier":"gold"}`,
		},
		{
			name: "claims of the protocol", scopes: []string{"a", "b"}, claims: `{"Sub":"x"}`,
			says: `{"additionalClaims":{"sub":"x","iss":"x","scope":"x","scp":[],"exp":1,"aud":"x","cnf":{},"urn:onegini.com:oidc:x":1,"client_id":"x","Sub":"x"}}`,
		},
		{name: "removeScopes is a text", says: `{"removeScopes":"a"}`, reason: "malformed answer"},
		{name: "claims are a list", says: `{"additionalClaims":[]}`, reason: "malformed answer"},
		{name: "a claim twice", says: `{"additionalClaims":{"x":1,"x":2}}`, reason: "malformed answer"},
		{name: "a claim without a name", says: `{"additionalClaims":{"":1}}`, reason: "malformed answer"},
		{name: "no object", says: `null`, reason: "malformed answer"},
		{name: "no JSON", says: `<html>`, reason: "malformed answer"},
		{name: "too large", says: `{"x":"` + strings.Repeat("x", 300<<10) + `"}`, reason: "too large"},
		{name: "no content", status: 204, reason: "status"},
		{name: "a redirect", status: 307, reason: "status"},
		{name: "refused", status: 401, says: `{}`, reason: "status"},
		{name: "broken", status: 500, says: `{}`, reason: "status"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t, settings.CustomizeToken)
			k.says = tc.says
			if tc.status != 0 {
				k.status = tc.status
			}
			got, err := k.token(t, "a", "b")
			var failure hooks.Failure
			if tc.reason != "" {
				if !errors.As(err, &failure) || failure.Reason != tc.reason || failure.Hook != "My Hook" {
					t.Fatalf("error %v, want %q", err, tc.reason)
				}
				yes := true
				k.hook.FailOpen = &yes
				if got, err := k.token(t, "a", "b"); err != nil || !slices.Equal(got.Scopes, []string{"a", "b"}) || len(got.Claims) != 0 {
					t.Errorf("open: %v, %v", got, err)
				}
				if !strings.Contains(k.log.String(), "level=WARN") || !strings.Contains(k.log.String(), "web hook passed over") {
					t.Errorf("log %q", k.log.String())
				}
				if n := k.asked.Load(); n != 2 {
					t.Errorf("asked %d times, want once for each question", n)
				}
				return
			}
			claims := ""
			if len(got.Claims) > 0 {
				text, _ := json.Marshal(got.Claims)
				claims = string(text)
			}
			if err != nil || !slices.Equal(got.Scopes, tc.scopes) || !slices.Equal(got.Removed, tc.removed) || claims != tc.claims {
				t.Errorf("%+v %s, %v", got, claims, err)
			}
		})
	}
}

func TestTokenQuestion(t *testing.T) {
	k := newKit(t, settings.CustomizeToken)
	_, err := k.CustomizeToken(t.Context(), &k.hook, hooks.TokenQuestion{
		UserID: "u1", ClientID: "web", Scopes: []string{"a"}, Claims: map[string]any{"email": "x@example.org"},
		Params: map[string][]string{"branch": {"1", "2"}},
	})
	if want := `{"user":{"id":"u1"},"client":{"id":"web"},"scopes":["a"],"userClaims":{"email":"x@example.org"},"contextCustomParams":{"branch":["1","2"]}}`; err != nil || k.body != want {
		t.Errorf("asked %s, %v\nwant %s", k.body, err, want)
	}
	if k.path != "/base/v1/customize-access-token" {
		t.Errorf("path %s", k.path)
	}
	if _, err = k.CustomizeToken(t.Context(), &k.hook, hooks.TokenQuestion{ClientID: "web"}); err != nil || k.body != `{"client":{"id":"web"},"scopes":[]}` {
		t.Errorf("asked %s, %v", k.body, err)
	}
	asked := k.asked.Load()
	if got, err := k.CustomizeToken(t.Context(), nil, hooks.TokenQuestion{ClientID: "web", Scopes: []string{"a"}}); err != nil ||
		!slices.Equal(got.Scopes, []string{"a"}) || k.asked.Load() != asked {
		t.Errorf("without a hook: %v, %v", got, err)
	}
}

func TestUserAnswers(t *testing.T) {
	known := map[string]any{"sub": "u1", "email": "x@example.org", "urn:onegini.com:oidc:x": 1, "acr": "2"}
	for _, tc := range []struct{ name, says, want, reason string }{
		{name: "replaced", says: `{"claims":{"name":"N","nick":null}}`, want: `{"acr":"2","name":"N","sub":"u1","urn:onegini.com:oidc:x":1}`},
		{
			name: "protected", says: `{"claims":{"sub":"u2","acr":"9","iss":"x","nonce":"n","group_permissions":[],"urn:onegini.com:oidc:x":2,"urn:onegini.com:oidc:y":2}}`,
			want: `{"acr":"2","sub":"u1","urn:onegini.com:oidc:x":1}`,
		},
		{name: "emptied", says: `{"claims":{}}`, want: `{"acr":"2","sub":"u1","urn:onegini.com:oidc:x":1}`},
		{name: "no claims", says: `{}`, reason: "malformed answer"},
		{name: "null", says: `{"claims":null}`, reason: "malformed answer"},
		{name: "a list", says: `{"claims":[]}`, reason: "malformed answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t, settings.CustomizeUser)
			k.says = tc.says
			question := hooks.UserQuestion{UserID: "u1", Scopes: []string{"openid"}, Claims: maps.Clone(known)}
			got, err := k.CustomizeUser(t.Context(), &k.hook, question)
			want := tc.want
			if tc.reason != "" { // passed over by default
				want = `{"acr":"2","email":"x@example.org","sub":"u1","urn:onegini.com:oidc:x":1}`
			}
			if text, _ := json.Marshal(got); err != nil || string(text) != want {
				t.Errorf("%s, %v; want %s", text, err, want)
			}
			no := false
			k.hook.FailOpen = &no
			got, err = k.CustomizeUser(t.Context(), &k.hook, question)
			var failure hooks.Failure
			if tc.reason != "" && (!errors.As(err, &failure) || failure.Reason != tc.reason || got != nil) {
				t.Errorf("closed: %v, %v", got, err)
			}
		})
	}
	k := newKit(t, settings.CustomizeUser)
	k.says = `{"claims":{}}`
	if _, err := k.CustomizeUser(t.Context(), &k.hook, hooks.UserQuestion{UserID: "u1", Params: map[string][]string{"a": {"b"}}}); err != nil ||
		k.body != `{"user":{"id":"u1"},"scopes":[],"claims":{},"contextCustomParams":{"a":["b"]}}` || k.path != "/base/v1/customize-user-details" {
		t.Errorf("asked %s %s, %v", k.path, k.body, err)
	}
	if got, err := k.CustomizeUser(t.Context(), nil, hooks.UserQuestion{Claims: known}); err != nil || !maps.Equal(got, known) {
		t.Errorf("without a hook: %v, %v", got, err)
	}
}

// TestSignature: webhook-signature is HMAC-SHA-256 over id, timestamp and body with the secret of the hook.
func TestSignature(t *testing.T) {
	k := newKit(t, settings.CustomizeToken)
	if _, err := k.token(t, "a"); err != nil {
		t.Fatal(err)
	}
	id, stamp := k.header.Get("Webhook-Id"), k.header.Get("Webhook-Timestamp")
	m := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	_, _ = io.WriteString(m, id+"."+stamp+"."+k.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); k.header.Get("Webhook-Signature") != want || id == "" || stamp != "1795176000" {
		t.Errorf("id %q, timestamp %q, signature %q, want %q", id, stamp, k.header.Get("Webhook-Signature"), want)
	}
	if k.header.Get("Authorization") != "" {
		t.Errorf("authorization %q", k.header.Get("Authorization"))
	}
	if _, err := k.token(t, "a"); err != nil || k.header.Get("Webhook-Id") == id {
		t.Errorf("the id of another question is the same, %v", err)
	}
	k.hook.SigningSecret = settings.NewSecret("whsec_%%%")
	var failure hooks.Failure
	if _, err := k.token(t, "a"); !errors.As(err, &failure) || failure.Reason != "credentials" || strings.Contains(err.Error(), "%%%") {
		t.Errorf("error %v", err)
	}
}

func TestBasic(t *testing.T) {
	k := newKit(t, settings.CustomizeToken)
	k.hook.Authentication, k.hook.Username, k.hook.Password = settings.HookBasic, "ts", settings.NewSecret("pa:ss")
	if _, err := k.token(t, "a"); err != nil {
		t.Fatal(err)
	}
	request := http.Request{Header: k.header}
	if user, password, ok := request.BasicAuth(); !ok || user != "ts" || password != "pa:ss" {
		t.Errorf("credentials %q %q", user, password)
	}
}

// TestJWT: the JWT can be verified with the published keys, is used again, and is no ID token.
func TestJWT(t *testing.T) {
	k := newKit(t, settings.CustomizeToken)
	k.hook.Authentication = settings.HookJWT
	ask := func() string {
		t.Helper()
		if _, err := k.token(t, "a"); err != nil {
			t.Fatal(err)
		}
		text, _ := strings.CutPrefix(k.header.Get("Authorization"), "Bearer ")
		return text
	}
	first := ask()
	claims := jwt.MapClaims{}
	if err := k.ring.Verify(t.Context(), "webhook+jwt", first, claims); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": k.env.Issuer, "aud": k.hook.BaseURI, "sub": "tokenserverWebHookClient", "cid": "tokenserverWebHookClient",
		"scope": "tokenserver_webhooks tokenserver_webhook_my_hook", "exp": float64(k.env.Now().Add(15 * time.Minute).Unix()),
	} {
		if claims[name] != want {
			t.Errorf("%s = %v, want %v", name, claims[name], want)
		}
	}
	if err := k.ring.Verify(t.Context(), "JWT", first, jwt.MapClaims{}); err == nil {
		t.Error("passes for an ID token")
	}
	k.env.Clock.Advance(9 * time.Minute)
	if ask() != first {
		t.Error("not used again")
	}
	k.env.Clock.Advance(time.Minute)
	if ask() == first {
		t.Error("used although it ends soon")
	}
	second := ask()
	k.hook.BaseURI = strings.TrimSuffix(k.hook.BaseURI, "/")
	if ask() == second {
		t.Error("sent to another audience")
	}
}

func TestOf(t *testing.T) {
	s := settings.NewSnapshot(1, settings.Document{WebHooks: []settings.WebHook{
		{ID: "t", Type: settings.CustomizeToken}, {ID: "u", Type: settings.CustomizeUser},
	}})
	for _, tc := range []struct {
		ids  []string
		kind settings.HookType
		want string
	}{
		{[]string{"u", "t"}, settings.CustomizeToken, "t"},
		{[]string{"u", "t"}, settings.CustomizeUser, "u"},
		{[]string{"u"}, settings.CustomizeToken, ""},
		{[]string{"gone"}, settings.CustomizeUser, ""},
		{nil, settings.CustomizeUser, ""},
	} {
		got := ""
		if h := hooks.Of(s, tc.ids, tc.kind); h != nil {
			got = h.ID
		}
		if got != tc.want {
			t.Errorf("%v %s: %q, want %q", tc.ids, tc.kind, got, tc.want)
		}
	}
}
