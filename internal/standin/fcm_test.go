package standin_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/messaging"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"

	"tokenserver/internal/standin"
)

const (
	project    = "harbour-1234"
	fcmScope   = "https://www.googleapis.com/auth/firebase.messaging"
	fcmDevice  = "dQ3wZ5aTRk:APA91b-fcm"
	fcmContent = `{"og_transaction_id":"9d2f"}`
)

func startFCM(t *testing.T) (*standin.FCM, *clock, []byte) {
	t.Helper()
	c := &clock{}
	f, err := standin.StartFCM(c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	account, err := f.NewServiceAccount(project)
	if err != nil {
		t.Fatal(err)
	}
	f.AddDevice(fcmDevice, project)
	return f, c, account
}

// authorized is how a client of the library is made: the caller's own HTTP client inside an oauth2 transport. Handing the bare
// client to the library would drop the authentication.
func authorized(t *testing.T, account []byte, base *http.Client) *http.Client {
	t.Helper()
	conf, err := google.JWTConfigFromJSON(account, fcmScope)
	if err != nil {
		t.Fatal(err)
	}
	return conf.Client(context.WithValue(t.Context(), oauth2.HTTPClient, base))
}

// library points the Firebase library at the stand-in.
func library(t *testing.T, f *standin.FCM, account []byte) *messaging.Client {
	t.Helper()
	client := authorized(t, account, &http.Client{Timeout: 5 * time.Second})
	app, err := firebase.NewApp(t.Context(), &firebase.Config{ProjectID: project},
		option.WithHTTPClient(client), option.WithEndpoint(f.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := app.Messaging(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFCMLibrary(t *testing.T) {
	f, c, account := startFCM(t)
	m := library(t, f, account)
	pushes := f.Subscribe()
	ttl := 300 * time.Second
	message := &messaging.Message{
		Token: fcmDevice, Data: map[string]string{"content": fcmContent},
		Android: &messaging.AndroidConfig{Priority: "high", TTL: &ttl, CollapseKey: "9d2f"},
	}
	name, err := m.Send(t.Context(), message)
	if err != nil || !strings.HasPrefix(name, "projects/"+project+"/messages/0:") {
		t.Fatalf("%s, %v", name, err)
	}
	got := <-pushes
	var data map[string]string
	if err := json.Unmarshal(got.Payload, &data); err != nil {
		t.Fatal(err)
	}
	if got.Token != fcmDevice || got.Topic != project || got.Priority != "HIGH" || got.ID != name || data["content"] != fcmContent ||
		got.Expiration.Sub(got.At) != ttl || got.CollapseID != "9d2f" {
		t.Errorf("push %+v", got)
	}
	if _, err := m.Send(t.Context(), message); err != nil || f.Exchanges() != 1 {
		t.Errorf("second push: %v, %d exchanges, want 1", err, f.Exchanges())
	}
	if _, err := m.SendDryRun(t.Context(), message); err != nil || len(f.Pushes()) != 2 {
		t.Errorf("dry run: %v, %d pushes, want 2", err, len(f.Pushes()))
	}

	f.AddDevice("other-sender-token", "another-project")
	f.AddDevice("removed-token", project)
	f.Unregister("removed-token")
	for _, tc := range []struct {
		name, token string
		is          func(error) bool
	}{
		{"unknown token", "never-seen-token", messaging.IsInvalidArgument},
		{"token of another sender", "other-sender-token", messaging.IsSenderIDMismatch},
		{"app removed", "removed-token", messaging.IsUnregistered},
	} {
		if _, err := m.Send(t.Context(), &messaging.Message{Token: tc.token, Data: map[string]string{"content": "{}"}}); !tc.is(err) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	for _, tc := range []struct {
		status int
		code   string
		is     func(error) bool
	}{
		{429, "QUOTA_EXCEEDED", messaging.IsQuotaExceeded},
		{500, "INTERNAL", messaging.IsInternal},
		{401, "THIRD_PARTY_AUTH_ERROR", messaging.IsThirdPartyAuthError},
	} {
		f.FailNext(1, tc.status, tc.code)
		if _, err := m.Send(t.Context(), message); !tc.is(err) {
			t.Errorf("%s: %v", tc.code, err)
		}
	}
	f.FailNext(1, 503, "UNAVAILABLE") // the library repeats this one by itself
	if _, err := m.Send(t.Context(), message); err != nil {
		t.Errorf("after one 503: %v", err)
	}
	c.forward(2 * time.Hour) // the access token is over, and the library's clock does not know
	if _, err := m.Send(t.Context(), message); err == nil || messaging.IsThirdPartyAuthError(err) {
		t.Errorf("expired access token: %v", err)
	}
}

// TestFCMLibraryWithBareClient shows the trap: with a client of one's own and without a token source nothing is authenticated.
func TestFCMLibraryWithBareClient(t *testing.T) {
	f, _, account := startFCM(t)
	app, err := firebase.NewApp(t.Context(), &firebase.Config{ProjectID: project},
		option.WithAuthCredentialsJSON(option.ServiceAccount, account), option.WithHTTPClient(&http.Client{}), option.WithEndpoint(f.Endpoint()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := app.Messaging(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Send(t.Context(), &messaging.Message{Token: fcmDevice}); err == nil || f.Exchanges() != 0 {
		t.Errorf("error %v, %d exchanges", err, f.Exchanges())
	}
}

func TestFCMRefusals(t *testing.T) {
	f, _, account := startFCM(t)
	client := authorized(t, account, &http.Client{Timeout: 5 * time.Second})
	big := strings.Repeat("x", 4097-len("content"))
	for _, tc := range []struct {
		name, path, body string
		status           int
		code             string // FCM error code; empty: none in the body
		canonical        string
	}{
		{"accepted", "", `{"message":{"token":"T","data":{"content":"{}"},"android":{"priority":"HIGH","ttl":"300s"}}}`, 200, "", ""},
		{"not JSON", "", `{`, 400, "", "INVALID_ARGUMENT"},
		{"unknown member", "", `{"message":{"token":"T","to":"x"}}`, 400, "", "INVALID_ARGUMENT"},
		{"no target", "", `{"message":{"data":{}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"two targets", "", `{"message":{"token":"T","topic":"x"}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"number in data", "", `{"message":{"token":"T","data":{"n":1}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"null in data", "", `{"message":{"token":"T","data":{"n":null}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"reserved key", "", `{"message":{"token":"T","data":{"google.x":"1"}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"data too big", "", `{"message":{"token":"T","data":{"content":"` + big + `"}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"data just fits", "", `{"message":{"token":"T","data":{"content":"` + big[1:] + `"}}}`, 200, "", ""},
		{"android data counts instead", "", `{"message":{"token":"T","android":{"data":{"n":1}}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"priority unknown", "", `{"message":{"token":"T","android":{"priority":"URGENT"}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"ttl is a number", "", `{"message":{"token":"T","android":{"ttl":300}}}`, 400, "", "INVALID_ARGUMENT"},
		{"ttl without unit", "", `{"message":{"token":"T","android":{"ttl":"300"}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"ttl too long", "", `{"message":{"token":"T","android":{"ttl":"2419201s"}}}`, 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"},
		{"another project", "/v1/projects/other/messages:send", `{"message":{"token":"T"}}`, 403, "", "PERMISSION_DENIED"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := tc.path
			if path == "" {
				path = "/v1/projects/" + project + "/messages:send"
			}
			body := strings.ReplaceAll(tc.body, `"T"`, `"`+fcmDevice+`"`)
			status, answer := post(t, client, f.URL()+path, "application/json", body)
			if status != tc.status {
				t.Fatalf("status %d, body %s", status, answer)
			}
			if tc.status == http.StatusOK {
				return
			}
			var parsed struct {
				Error struct {
					Code    int    `json:"code"`
					Status  string `json:"status"`
					Message string `json:"message"`
					Details []struct {
						Type string `json:"@type"`
						Code string `json:"errorCode"`
					} `json:"details"`
				} `json:"error"`
			}
			if err := json.Unmarshal(answer, &parsed); err != nil {
				t.Fatal(err)
			}
			code := ""
			for _, d := range parsed.Error.Details {
				if d.Type == "type.googleapis.com/google.firebase.fcm.v1.FcmError" {
					code = d.Code
				}
			}
			if parsed.Error.Code != tc.status || parsed.Error.Status != tc.canonical || code != tc.code || parsed.Error.Message == "" {
				t.Errorf("body %s", answer)
			}
		})
	}
	f.RevokeTokens()
	status, answer := post(t, client, f.URL()+"/v1/projects/"+project+"/messages:send", "application/json", `{"message":{"token":"x"}}`)
	if status != http.StatusUnauthorized || !bytes.Contains(answer, []byte(`"UNAUTHENTICATED"`)) {
		t.Errorf("revoked access token: %d %s", status, answer)
	}
}

func TestFCMTokenEndpoint(t *testing.T) {
	_, c, account := startFCM(t)
	var file struct {
		Email string `json:"client_email"`
		KeyID string `json:"private_key_id"`
		Key   string `json:"private_key"`
		URI   string `json:"token_uri"`
	}
	if err := json.Unmarshal(account, &file); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(file.Key))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := parsed.(*rsa.PrivateKey)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := c.now()
	for _, tc := range []struct {
		name   string
		change func(jwt.MapClaims)
		key    *rsa.PrivateKey
		kid    string
		method jwt.SigningMethod
		grant  string
		want   string // error word and start of the description; empty: a token
	}{
		{name: "good"},
		{name: "grant", grant: "client_credentials", want: "unsupported_grant_type Invalid grant_type"},
		{name: "unknown account", change: func(m jwt.MapClaims) { m["iss"] = "x@y" }, want: "invalid_grant Invalid grant: account not found"},
		{name: "unknown key id", kid: "0000", want: "invalid_grant Invalid grant: account not found"},
		{name: "foreign key", key: foreign, want: "invalid_grant Invalid JWT Signature."},
		{name: "other algorithm", method: jwt.SigningMethodRS512, want: "invalid_grant Invalid JWT Signature."},
		{name: "audience", change: func(m jwt.MapClaims) { m["aud"] = "https://oauth2.googleapis.com/token" }, want: "invalid_grant Invalid JWT: Failed audience"},
		{name: "scope", change: func(m jwt.MapClaims) { m["scope"] = "email" }, want: "invalid_scope Invalid OAuth scope"},
		{name: "too long", change: func(m jwt.MapClaims) { m["exp"] = now.Add(2 * time.Hour).Unix() }, want: "invalid_grant Invalid JWT: Token must be"},
		{name: "over", change: func(m jwt.MapClaims) { m["iat"], m["exp"] = now.Add(-2*time.Hour).Unix(), now.Add(-time.Hour).Unix() }, want: "invalid_grant Invalid JWT: Token must be"},
		{name: "not yet", change: func(m jwt.MapClaims) { m["iat"], m["exp"] = now.Add(time.Hour).Unix(), now.Add(2*time.Hour).Unix() }, want: "invalid_grant Invalid JWT: Token must be"},
		{name: "no times", change: func(m jwt.MapClaims) { delete(m, "exp") }, want: "invalid_grant Invalid JWT: Token must be"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := jwt.MapClaims{"iss": file.Email, "aud": file.URI, "scope": fcmScope, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
			if tc.change != nil {
				tc.change(claims)
			}
			method, signer, kid, grant := tc.method, tc.key, tc.kid, tc.grant
			if method == nil {
				method = jwt.SigningMethodRS256
			}
			if signer == nil {
				signer = key
			}
			if kid == "" {
				kid = file.KeyID
			}
			if grant == "" {
				grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
			}
			tok := jwt.NewWithClaims(method, claims)
			tok.Header["kid"] = kid
			assertion, err := tok.SignedString(signer)
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{"grant_type": {grant}, "assertion": {assertion}}
			status, body := post(t, http.DefaultClient, file.URI, "application/x-www-form-urlencoded", form.Encode())
			var answer struct {
				Token       string `json:"access_token"`
				Expires     int    `json:"expires_in"`
				Word        string `json:"error"`
				Description string `json:"error_description"`
			}
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Fatal(err)
			}
			if tc.want == "" {
				if status != 200 || answer.Token == "" || answer.Expires != 3599 {
					t.Errorf("%d %s", status, body)
				}
				return
			}
			if status != 400 || !strings.HasPrefix(answer.Word+" "+answer.Description, tc.want) {
				t.Errorf("%d %s, want %s", status, body, tc.want)
			}
		})
	}
}

// post sends a body and returns status and answer.
func post(t *testing.T, client *http.Client, address, contentType, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}
