package customregistration_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
)

const (
	codesPath  = "/custom-registration/codes/complete"
	portalPath = "/api/v1/two-way-otp"
)

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// respond is what the portal does when its user types in a client code.
func (k *kit) respond(t testing.TB, clientCode, userID string) string {
	t.Helper()
	a := k.post(t, portalPath, nil, `{"client_code":"`+clientCode+`","user_id":"`+userID+`"}`)
	var answer struct {
		Code string `json:"response_code"`
		Life int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != 200 || !sixDigits.MatchString(answer.Code) || answer.Life != 300 {
		t.Fatalf("portal: %d %s", a.Status, a.Body)
	}
	k.want(t, audit.APIAccessGranted, audit.CustomRegistrationBackchannelSuccess)
	return answer.Code
}

// other returns another code of six digits.
func other(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

func typed(id, code string) string {
	return `{"transaction_id":"` + id + `","data":"` + code + `",` + profile + `}`
}

func TestTwoWayOTP(t *testing.T) {
	k := newKit(t)
	id, client := k.begin(t, "codes")
	if !sixDigits.MatchString(client) {
		t.Fatalf("client code %q", client)
	}
	step := func(code, want string, codes ...audit.Code) {
		t.Helper()
		a := k.post(t, codesPath, app, typed(id, code))
		got := a.Body
		if strings.Contains(got, "oauth_token") {
			got = masked(t, a)
		}
		if a.Status != 200 || got != want {
			t.Errorf("%d %s\nwant %s", a.Status, got, want)
		}
		k.want(t, codes...)
	}
	for range 5 { // waiting costs nothing
		step("000000", `{"status":4002}`, audit.OneTimePasswordAuthFailed)
	}
	response := k.respond(t, client, "ann")
	step(other(response), `{"status":4001}`, audit.OneTimePasswordAuthFailed)
	step("", `{"status":4001}`, audit.OneTimePasswordAuthFailed)
	step(response, `{"status":2000,"oauth_token":{"token_type":"bearer","access_token":"ACCESS","refresh_token":"REFRESH","id_token":"ID","expires_in":900}}`,
		audit.OneTimePasswordAuthSucceeded, audit.TokenRequestAccessTokenCreated)
	if a := k.post(t, codesPath, app, typed(id, response)); a.Status != 400 || a.Body != noTx {
		t.Errorf("again: %d %s", a.Status, a.Body)
	}
	k.want(t, audit.TokenRequestInvalidGrant)
	if p, err := k.Store.Profile(t.Context(), phoneV1, "AB12CD"); err != nil || p.UserID != "ann" {
		t.Errorf("profile %+v, %v", p, err)
	}
}

// TestThreeWrongCodes: then even the right one is worth nothing.
func TestThreeWrongCodes(t *testing.T) {
	k := newKit(t)
	id, client := k.begin(t, "codes")
	response := k.respond(t, client, "ann")
	for range 3 {
		if a := k.post(t, codesPath, app, typed(id, other(response))); a.Body != `{"status":4001}` {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		k.want(t, audit.OneTimePasswordAuthFailed)
	}
	if a := k.post(t, codesPath, app, typed(id, response)); a.Status != 200 || a.Body != `{"status":5000}` {
		t.Errorf("the right one: %d %s", a.Status, a.Body)
	}
	k.want(t, audit.OneTimePasswordAuthFailed)
}

func TestCodesExpire(t *testing.T) {
	for _, tc := range []struct {
		name          string
		before, after time.Duration
		answered      bool
		want          string
	}{
		{name: "client code", before: 5 * time.Minute, want: `{"status":5000}`},
		{name: "response code", before: 5*time.Minute - time.Second, after: 5 * time.Minute, answered: true, want: `{"status":5000}`},
		{name: "both at their end", before: 5*time.Minute - time.Second, after: 5*time.Minute - time.Second, answered: true, want: `{"status":4001}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			id, client := k.begin(t, "codes")
			k.Clock.Advance(tc.before)
			code := "000000"
			if tc.answered {
				code = other(k.respond(t, client, "ann"))
			} else if a := k.post(t, portalPath, nil, `{"client_code":"`+client+`","user_id":"ann"}`); a.Status != 404 {
				t.Errorf("portal: %d %s", a.Status, a.Body)
			}
			k.Codes(t)
			k.Clock.Advance(tc.after)
			if a := k.post(t, codesPath, app, typed(id, code)); a.Status != 200 || a.Body != tc.want {
				t.Errorf("%d %s, want %s", a.Status, a.Body, tc.want)
			}
			k.want(t, audit.OneTimePasswordAuthFailed)
		})
	}
}

// TestPortal: every outcome of the portal's call.
func TestPortal(t *testing.T) {
	const malformed = `{"error":"invalid_request","error_description":"want client_code, six digits, and user_id"}`
	const unknown = `{"error":"unknown_client_code","error_description":"the client code is unknown, expired or answered already"}`
	failure := audit.CustomRegistrationBackchannelFailure
	for _, tc := range []struct {
		name, body string
		status     int
		want       string
		audit      audit.Code
	}{
		{"no JSON", `x`, 400, malformed, failure},
		{"no user", `{"client_code":"CODE"}`, 400, `{"error":"invalid_request","error_description":"user_id is missing"}`, audit.OneTimePasswordGenerationFailedMissingUserID},
		{"user with a blank", `{"client_code":"CODE","user_id":"a b"}`, 400, malformed, failure},
		{"user too long", `{"client_code":"CODE","user_id":"` + strings.Repeat("x", 256) + `"}`, 400, malformed, failure},
		{"no code", `{"user_id":"ann"}`, 400, malformed, failure},
		{"code with letters", `{"client_code":"12345a","user_id":"ann"}`, 400, malformed, failure},
		{"unknown code", `{"client_code":"OTHER","user_id":"ann"}`, 404, unknown, failure},
		{"further members", `{"client_code":"CODE","user_id":"ann","channel":"web"}`, 200, "", audit.CustomRegistrationBackchannelSuccess},
		{"answered already", `{"client_code":"CODE","user_id":"bob"}`, 404, unknown, failure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			_, client := k.begin(t, "codes")
			if tc.name == "answered already" {
				k.respond(t, client, "ann")
			}
			body := strings.NewReplacer("CODE", client, "OTHER", other(client)).Replace(tc.body)
			a := k.post(t, portalPath, nil, body)
			if a.Status != tc.status || tc.want != "" && a.Body != tc.want {
				t.Errorf("%d %s\nwant %d %s", a.Status, a.Body, tc.status, tc.want)
			}
			k.want(t, audit.APIAccessGranted, tc.audit)
		})
	}
}

// TestPortalThatGuesses: after so many unknown codes there is a pause, told once.
func TestPortalThatGuesses(t *testing.T) {
	k := newKit(t)
	_, client := k.begin(t, "codes")
	guess := func() int {
		return k.post(t, portalPath, nil, `{"client_code":"`+other(client)+`","user_id":"ann"}`).Status
	}
	for range 3 {
		if status := guess(); status != 404 {
			t.Errorf("status %d", status)
		}
		k.want(t, audit.APIAccessGranted, audit.CustomRegistrationBackchannelFailure)
	}
	if status := guess(); status != 429 {
		t.Errorf("status %d", status)
	}
	k.want(t, audit.APIAccessGranted, audit.RateLimitExceeded)
	if a := k.post(t, portalPath, nil, `{"client_code":"`+client+`","user_id":"ann"}`); a.Status != 429 ||
		a.Body != `{"error":"temporarily_unavailable","error_description":"too many unknown client codes, try again in a minute"}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	k.want(t, audit.APIAccessGranted)
	k.Clock.Advance(time.Minute)
	k.respond(t, client, "ann")
}

// TestCodesAreKeptAsHashes: neither code stands in the row, and no two live client codes are equal.
func TestCodesAreKeptAsHashes(t *testing.T) {
	k := newKit(t)
	seen := map[string]bool{}
	for range 60 {
		_, code := k.begin(t, "codes")
		if seen[code] {
			t.Errorf("%s twice", code)
		}
		seen[code] = true
	}
	if n, err := k.Store.LiveClientCodes(t.Context(), k.Now()); err != nil || n != 60 {
		t.Errorf("%d live codes, %v", n, err)
	}
}

// TestTooManyCodes: nobody gets a code when it could be guessed.
func TestTooManyCodes(t *testing.T) {
	k := newKit(t)
	k.crowd.more = 49_999
	k.begin(t, "codes") // the last one
	a := k.post(t, "/custom-registration/codes/init", app, `{}`)
	if a.Status != 503 || a.Body != `{"error":"temporarily_unavailable","error_description":"too many registrations are under way, try again shortly"}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	k.want(t, audit.CustomRegistrationInitFailure)
}

// TestOneWinnerOfCodes: of fifty who type the right code at once one gets tokens; wrong ones cannot outrun the count.
func TestOneWinnerOfCodes(t *testing.T) {
	k := newKit(t)
	id, client := k.begin(t, "codes")
	response := k.respond(t, client, "ann")
	race := func(id, code string) (won, wrong int32) {
		var winners, losers atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				switch a := k.post(t, codesPath, app, typed(id, code)); {
				case strings.Contains(a.Body, "oauth_token"):
					winners.Add(1)
				case a.Body == `{"status":4001}`:
					losers.Add(1)
				case a.Body != `{"status":5000}` && a.Body != noTx:
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		all.Wait()
		return winners.Load(), losers.Load()
	}
	if won, wrong := race(id, response); won != 1 || wrong != 0 {
		t.Errorf("%d winners, %d wrong; want one winner", won, wrong)
	}
	id, client = k.begin(t, "codes")
	response = k.respond(t, client, "bob")
	if won, wrong := race(id, other(response)); won != 0 || wrong > 3 {
		t.Errorf("%d winners, %d compared; want none, and at most 3", won, wrong)
	}
}
