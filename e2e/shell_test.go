package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenserver/phone"
)

// TestShell: what every endpoint does with requests that are no requests.
func TestShell(t *testing.T) {
	register := func(r request) func(*actor) ending {
		return func(a *actor) ending {
			r.header = http.Header{
				"X-App-Identifier": {application}, "X-App-Platform": {phone.Android}, "X-App-Version": {"1.0.0"}, "X-Os-Version": {"14"},
				"X-Sdk-Version": {"1.0.0"}, "X-Api-Version": {"2"}, "Content-Type": {"application/json"},
			}
			return a.send(r).ended()
		}
	}
	send := func(r request) func(*actor) ending {
		return func(a *actor) ending { return a.send(r).ended() }
	}
	const path = "/v2/client/registration"
	runRows(t, cluster(t), []row{
		{"unknown address", send(request{path: "/v1/nothing"}), 404, "not_found", ""},
		{"wrong method", send(request{method: http.MethodDelete, path: "/v1/token"}), 405, "method_not_allowed", ""},
		{"not JSON", register(request{path: path, raw: "{"}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{"unknown member", register(request{path: path, raw: `{"identifier":"x","client_statement":"y","admin":true}`}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{"repeated member", register(request{path: path, raw: `{"identifier":"x","identifier":"z","client_statement":"y"}`}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{"two bodies", register(request{path: path, raw: `{"identifier":"x","client_statement":"y"}{}`}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{
			"endless body", register(request{path: path, raw: `{"identifier":"` + strings.Repeat("x", 1<<17) + `"}`}),
			413, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST",
		},
		{
			"endless form", send(request{path: "/v1/token", form: url.Values{"grant_type": {strings.Repeat("x", 1<<17)}}}),
			400, "invalid_request", "TOKEN_REQUEST_INVALID",
		},
		{"parameter in the query", send(request{path: "/v1/token?grant_type=client_credentials", form: url.Values{"scope": {"read"}}}), 400, "invalid_request", "TOKEN_REQUEST_INVALID"},
		{
			"repeated parameter", send(request{path: "/v1/token", form: url.Values{"grant_type": {"client_credentials", "client_credentials"}}}),
			400, "invalid_request", "TOKEN_REQUEST_INVALID",
		},
	})
}

// TestFlood: an address that sends nothing but garbage is refused for a while, with one event and not one for each request.
func TestFlood(t *testing.T) {
	a := newActor(t, cluster(t))
	start, refused := time.Now(), 0
	for range 1000 {
		a.begin()
		answer := a.send(request{path: "/v1/token", basic: []string{"nobody", "wrong"}, form: url.Values{"grant_type": {"client_credentials"}}})
		if answer.status == http.StatusTooManyRequests {
			refused++
		}
		if refused == 20 {
			break
		}
	}
	if refused < 20 {
		t.Fatalf("%d requests refused within %v", refused, time.Since(start))
	}
	a.d.log.await(t, "RATE_LIMIT_EXCEEDED", func(e event) bool { return e.Code == "RATE_LIMIT_EXCEEDED" && e.ClientIP == a.address })
	told := 0
	for _, e := range a.d.log.all() {
		if e.Code == "RATE_LIMIT_EXCEEDED" && e.ClientIP == a.address {
			told++
		}
	}
	windows := int(time.Since(start).Minutes()) + 2
	if most := windows * len(a.d.servers); told > most {
		t.Errorf("%d events about %d refusals, want at most one for each minute and process: %d", told, refused, most)
	}
	other := newActor(t, a.d)
	if answer := other.send(request{path: "/v1/token", basic: []string{webClient, a.d.world.secret}, form: url.Values{"grant_type": {"client_credentials"}}}); answer.status != http.StatusOK {
		t.Errorf("another address gets %d", answer.status)
	}
}
