package customregistration_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/standin"
)

var someTransaction = regexp.MustCompile(`"transaction_id":"[A-Za-z0-9_-]{43}"`)

// TestInit: every outcome of the first step, and of the back channel.
func TestInit(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		basic      []string
		says       string // of the service; "" = as usual
		body       string
		status     int
		want       string
		audit      []audit.Code
	}{
		{
			name: "accepted", path: "/custom-registration/two/init", body: `{"data":"x"}`, status: 200,
			want: `{"transaction_id":"T","data":"say the password","status":2000}`, audit: []audit.Code{audit.CustomRegistrationInitSuccess},
		},
		{
			name: "accepted without data", path: "/custom-registration/two/init", says: `{"status":2100}`, body: `{}`, status: 200,
			want: `{"transaction_id":"T","status":2100}`, audit: []audit.Code{audit.CustomRegistrationInitSuccess},
		},
		{
			name: "accepted, a user does not matter", path: "/custom-registration/two/init", says: `{"status":2000,"user":7}`, body: `{}`, status: 200,
			want: `{"transaction_id":"T","status":2000}`, audit: []audit.Code{audit.CustomRegistrationInitSuccess},
		},
		{
			name: "refused", path: "/custom-registration/two/init", says: `{"status":4010,"responsePayload":"later"}`, body: `{}`, status: 200,
			want: `{"data":"later","status":4010}`, audit: []audit.Code{audit.CustomRegistrationInitFailure},
		},
		{
			name: "refused for good", path: "/custom-registration/two/init", says: `{"status":5000}`, body: `{}`, status: 200,
			want: `{"status":5000}`, audit: []audit.Code{audit.CustomRegistrationInitFailure},
		},
		{
			name: "an error of the service", path: "/custom-registration/two/init", says: `{"status":3001}`, body: `{}`, status: 500, want: noScript,
			audit: []audit.Code{audit.CustomRegistrationScriptError},
		},
		{
			name: "no answer", path: "/custom-registration/two/init", says: `{}`, body: `{}`, status: 500, want: noScript,
			audit: []audit.Code{audit.CustomRegistrationScriptError},
		},
		{name: "one step", path: "/custom-registration/one/init", body: `{}`, status: 404, want: badProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "unknown", path: "/custom-registration/none/init", body: `{}`, status: 404, want: badProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "disabled", path: "/custom-registration/closed/init", body: `{}`, status: 403, want: noProvider, audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{
			name: "wrong secret", path: "/custom-registration/two/init", basic: []string{phoneV1, "x"}, body: `{}`, status: 400, want: badProof,
			audit: []audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{name: "malformed", path: "/custom-registration/two/init", body: `{"transaction_id":"x"}`, status: 400, want: badBody, audit: []audit.Code{audit.TokenRequestInvalid}},
		{
			name: "another's provider", path: "/custom-registration/codes/init", basic: []string{phoneOther, appSecret}, body: `{}`, status: 400,
			want:  `{"error":"invalid_client","error_description":"the identity provider is not one of the client's"}`,
			audit: []audit.Code{audit.TokenRequestInvalidClientCredentials},
		},

		{
			name: "back channel", path: "/api/v3/custom-registration/two/backchannel", body: `{"data":"x"}`, status: 200, want: `{"status":2000,"data":"x"}`,
			audit: []audit.Code{audit.APIAccessGranted, audit.CustomRegistrationBackchannelSuccess},
		},
		{
			name: "back channel of one step", path: "/api/v3/custom-registration/one/backchannel", body: `{}`, status: 200, want: `{"status":2000}`,
			audit: []audit.Code{audit.APIAccessGranted, audit.CustomRegistrationBackchannelSuccess},
		},
		{
			name: "back channel refused", path: "/api/v3/custom-registration/two/backchannel", says: `{"status":4000,"responsePayload":"no"}`, body: `{}`, status: 200,
			want: `{"status":4000,"data":"no"}`, audit: []audit.Code{audit.APIAccessGranted, audit.CustomRegistrationBackchannelFailure},
		},
		{
			name: "back channel fails", path: "/api/v3/custom-registration/two/backchannel", says: `{"status":3000}`, body: `{}`, status: 500, want: noScript,
			audit: []audit.Code{audit.APIAccessGranted, audit.CustomRegistrationBackchannelFailure},
		},
		{
			name: "back channel malformed", path: "/api/v3/custom-registration/two/backchannel", body: `{"x":1}`, status: 400, want: badBody,
			audit: []audit.Code{audit.APIAccessGranted, audit.CustomRegistrationBackchannelFailure},
		},
		{
			name: "no back channel", path: "/api/v3/custom-registration/alone/backchannel", body: `{}`, status: 403,
			want:  `{"error":"idp_disabled","error_description":"the identity provider has no back channel"}`,
			audit: []audit.Code{audit.APIAccessGranted, audit.UnableToDetermineIdentityProvider},
		},
		{
			name: "back channel disabled", path: "/api/v3/custom-registration/closed/backchannel", body: `{}`, status: 403, want: noProvider,
			audit: []audit.Code{audit.APIAccessGranted, audit.UnableToDetermineIdentityProvider},
		},
		{
			name: "back channel unknown", path: "/api/v3/custom-registration/codes/backchannel", body: `{}`, status: 404, want: badProvider,
			audit: []audit.Code{audit.APIAccessGranted, audit.UnableToDetermineIdentityProvider},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			if tc.says != "" {
				k.registrar.Script(func(standin.RegistrarCall) string { return tc.says })
			}
			basic := tc.basic
			if basic == nil {
				basic = app
			}
			a := k.post(t, tc.path, basic, tc.body)
			if got := someTransaction.ReplaceAllString(a.Body, `"transaction_id":"T"`); a.Status != tc.status || got != tc.want {
				t.Errorf("%d %s\nwant %d %s", a.Status, got, tc.status, tc.want)
			}
			k.want(t, tc.audit...)
		})
	}
}

// TestTransactions: which transactions the last step takes, and how long they last.
func TestTransactions(t *testing.T) {
	const path = "/custom-registration/two/complete"
	body := func(id string) string { return `{"transaction_id":"` + id + `",` + right + `,` + profile + `}` }
	t.Run("kept while the user may try again", func(t *testing.T) {
		k := newKit(t)
		id, _ := k.begin(t, "two")
		for range 4 {
			if a := k.post(t, path, app, `{"transaction_id":"`+id+`","data":"ann:no",`+profile+`}`); a.Body != `{"status":4001,"data":"wrong password"}` {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			k.want(t, audit.CustomRegistrationCompleteFailure)
		}
		if a := k.post(t, path, app, body(id)); a.Status != 200 || masked(t, a) != done {
			t.Errorf("the fifth try: %d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestAccessTokenCreated)
		if a := k.post(t, path, app, body(id)); a.Status != 400 || a.Body != noTx {
			t.Errorf("used again: %d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestInvalidGrant)
	})
	t.Run("five tries", func(t *testing.T) {
		k := newKit(t)
		id, _ := k.begin(t, "two")
		for range 5 {
			k.post(t, path, app, `{"transaction_id":"`+id+`","data":"ann:no",`+profile+`}`)
		}
		k.Codes(t)
		calls := len(k.registrar.Calls())
		if a := k.post(t, path, app, body(id)); a.Status != 400 || a.Body != noTx || len(k.registrar.Calls()) != calls {
			t.Errorf("the sixth try: %d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestInvalidGrant)
	})
	t.Run("ended by the service", func(t *testing.T) {
		k := newKit(t)
		id, _ := k.begin(t, "two")
		if a := k.post(t, path, app, `{"transaction_id":"`+id+`",`+profile+`}`); a.Body != `{"status":5000,"data":"start again"}` {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		k.want(t, audit.CustomRegistrationCompleteFailure)
		if a := k.post(t, path, app, body(id)); a.Status != 400 || a.Body != noTx {
			t.Errorf("afterwards: %d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestInvalidGrant)
	})
	t.Run("expired", func(t *testing.T) {
		k := newKit(t)
		id, _ := k.begin(t, "two")
		k.Clock.Advance(10*time.Minute - time.Second)
		if a := k.post(t, path, app, `{"transaction_id":"`+id+`","data":"ann:no",`+profile+`}`); a.Status != 200 {
			t.Errorf("in time: %d %s", a.Status, a.Body)
		}
		k.Codes(t)
		k.Clock.Advance(time.Second)
		if a := k.post(t, path, app, body(id)); a.Status != 400 || a.Body != noTx {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestInvalidGrant)
	})
	t.Run("others'", func(t *testing.T) {
		k := newKit(t)
		id, _ := k.begin(t, "two")
		for _, tc := range []struct {
			name, path string
			basic      []string
			body       string
			want       string
			audit      audit.Code
		}{
			{"another client", path, []string{phoneOther, appSecret}, body(id), noTx, audit.TokenRequestInvalidGrant},
			{"another provider", "/custom-registration/codes/complete", app, body(id), noTx, audit.TokenRequestInvalidGrant},
			{"unknown", path, app, body(strings.Repeat("x", 43)), noTx, audit.TokenRequestInvalidGrant},
			{"missing", path, app, `{` + right + `,` + profile + `}`, badMember, audit.TokenRequestInvalid},
			{"another version", "/v2" + path, nil, k.proved(t, phoneV2, `"transaction_id":"`+id+`",`+right+`,`+profile), noTx, audit.TokenRequestInvalidGrant},
		} {
			if tc.name == "another client" {
				k.document.Applications[1].DefaultScopes = []string{"read"}
				k.Settings.Set(k.document)
			}
			if a := k.post(t, tc.path, tc.basic, tc.body); a.Status != 400 || a.Body != tc.want {
				t.Errorf("%s: %d %s", tc.name, a.Status, a.Body)
			}
			k.want(t, tc.audit)
		}
		if a := k.post(t, path, app, body(id)); a.Status != 200 {
			t.Errorf("its own client afterwards: %d %s", a.Status, a.Body)
		}
	})
	t.Run("both versions", func(t *testing.T) {
		k := newKit(t)
		a := k.post(t, "/v2/custom-registration/two/init", nil, k.proved(t, phoneV2, `"data":"x"`))
		var begun struct {
			ID string `json:"transaction_id"`
		}
		if err := json.Unmarshal([]byte(a.Body), &begun); err != nil || a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		a = k.post(t, "/v2"+path, nil, k.proved(t, phoneV2, `"transaction_id":"`+begun.ID+`",`+right+`,`+profile))
		if a.Status != 200 || masked(t, a) != done {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		k.want(t, audit.CustomRegistrationInitSuccess, audit.TokenRequestAccessTokenCreated)
	})
}

// TestTheStoreIsAway: nothing is issued, and nothing is claimed.
func TestTheStoreIsAway(t *testing.T) {
	k := newKit(t)
	id, _ := k.begin(t, "two")
	k.registrar.Script(func(standin.RegistrarCall) string {
		k.CloseStore() // after the attempt was counted
		return `{"status":2000,"user":{"id":"ann"}}`
	})
	a := k.post(t, "/custom-registration/two/complete", app, `{"transaction_id":"`+id+`",`+profile+`}`)
	if a.Status < 500 || strings.Contains(a.Body, "oauth_token") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	k.want(t)
}
