package e2e_test

import (
	"net/http"
	"net/url"
	"testing"

	"tokenserver/phone"
)

// TestForeignBytes: NUL and bytes that are no text, which PostgreSQL cannot hold, are refused like any other wrong value.
func TestForeignBytes(t *testing.T) {
	send := func(r request) func(*actor) ending {
		return func(a *actor) ending { return a.send(r).ended() }
	}
	api := func(client, path string) func(*actor) ending {
		return func(a *actor) ending {
			return a.send(request{path: path, basic: []string{client, a.d.world.secret}}).ended()
		}
	}
	raw := func(path, body string) func(*actor) ending {
		return func(a *actor) ending {
			return a.send(request{path: path, raw: body, header: http.Header{
				"X-App-Identifier": {application}, "X-App-Platform": {phone.Android}, "X-App-Version": {"1.0.0"}, "X-Os-Version": {"14"},
				"X-Sdk-Version": {"1.0.0"}, "X-Api-Version": {"2"}, "Content-Type": {"application/json"},
			}}).ended()
		}
	}
	initialize := func(a *actor) ending {
		return a.send(request{
			path: "/api/v4/authenticate/user", basic: []string{portalClient, a.d.world.secret},
			form: url.Values{"user_id": {"\x00"}, "type": {typePush}, "message": {"\xff"}},
		}).ended()
	}
	runRows(t, cluster(t), []row{
		{"authorize, NUL", send(request{path: "/authorize?client_id=%00"}), 400, "", "AUTHZ_REQUEST_INVALID"},
		{"authorize, no UTF-8", send(request{path: "/authorize?client_id=%ff"}), 400, "", "AUTHZ_REQUEST_INVALID"},
		{"sign-in", send(request{path: "/sign-in", form: url.Values{"t": {"x"}, "username": {"a\x00"}}}), 400, "", "ACCOUNT_SIGN_IN_CSRF_INVALID"},
		{"token, form", send(request{path: "/v1/token", form: url.Values{"grant_type": {"client_credentials"}, "client_id": {"\xff"}}}), 400, "invalid_request", "TOKEN_REQUEST_INVALID"},
		{
			"token, header", send(request{path: "/v1/token", basic: []string{"\x00", "\xff"}, form: url.Values{"grant_type": {"client_credentials"}}}),
			401, "invalid_client", "TOKEN_REQUEST_INVALID_CLIENT",
		},
		{"revoke", send(request{path: "/v1/revoke", basic: []string{"\xff", "x"}, form: url.Values{"token": {"x"}}}), 401, "invalid_client", "TOKEN_REVOKE_CLIENT_INVALID"},
		{"API client", send(request{path: "/api/v1/events", basic: []string{"\x00", "x"}}), 401, "unauthorized", "API_ACCESS_NOT_ALLOWED_INVALID_CREDENTIALS"},
		{"events", api(auditClient, "/api/v1/events?user_id=%00"), 400, "invalid_request", "API_ACCESS_GRANTED"},
		{"portal, result", api(portalClient, "/api/v4/authenticate/transaction/%00"), 404, "1006", "API_ACCESS_GRANTED PUSH_AUTH_TRANSACTION_NOT_RETRIEVED"},
		{"portal, user", api(portalClient, "/api/v4/authenticate/user/%ff/enabled"), 200, "", "API_ACCESS_GRANTED"},
		{"portal, start", initialize, 400, "1003", "API_ACCESS_GRANTED PUSH_AUTH_INIT_FAILURE_INVALID_REQ"},
		{"registration", raw("/v2/client/registration", `{"identifier":"\u0000","client_statement":"x"}`), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{"enrollment", raw("/mobile-auth/v1/enrollments", `{"push_token":"\u0000"}`), 401, "invalid_client", "ENROLLMENT_INIT_FAILURE_INVALID_TOKEN"},
		{"fetch", raw("/mobile-auth/v1/transactions/fetch", `{"proof":"\u0000"}`), 404, "1006", "PUSH_AUTH_FETCH_FAILED_INVALID_TRANSACTION"},
	})
}
