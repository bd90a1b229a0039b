package enrollment_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

const (
	keyInvalid = `{"error":"invalid_request","error_description":"the proof is missing or wrong"}`
	keyUnknown = `{"error":"invalid_id","error_description":"there is no such enrollment in progress"}`
	ackInvalid = `{"error":"invalid_request","error_description":"the proof is missing or wrong, or the key step was left out"}`
)

func TestKeyStep(t *testing.T) {
	for _, tc := range []struct {
		name    string
		claims  map[string]any
		raw     string
		prepare func(t *testing.T, f *fixture, p *phone)
		status  int
		want    string
		code    audit.Code
		reason  string
	}{
		{name: "keys", status: 200, want: "*", code: audit.EnrollmentKeyFetched},
		{name: "mobile authentication off meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.Features.MobileAuthentication = off() })
		}, status: 404, want: featureOff, code: audit.EnrollmentFailureDisabled},
		{name: "enrollment off meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.MobileAuthentication.EnrollmentEnabled = off() })
		}, status: 403, want: enrollmentOff, code: audit.EnrollmentFailureDisabled},
		{name: "version disabled meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled })
		}, status: 403, want: versionOff, code: audit.ClientValidationVersionDisabled},
		{name: "malformed", raw: `[]`, status: 400, want: keyInvalid, code: audit.EnrollmentKeyFailureInvalidReq, reason: "body"},
		{
			name: "no proof", raw: `{"enrollment_id":"x"}`, status: 400, want: keyInvalid,
			code: audit.EnrollmentKeyFailureInvalidReq, reason: "missing_member",
		},
		{
			name: "no id", raw: `{"proof":"x"}`, status: 400, want: keyInvalid,
			code: audit.EnrollmentKeyFailureInvalidReq, reason: "missing_member",
		},
		{
			name: "malformed id", raw: `{"enrollment_id":"no-uuid","proof":"x"}`, status: 404, want: keyUnknown,
			code: audit.EnrollmentKeyFailureInvalidID, reason: "malformed",
		},
		{
			name: "unknown", raw: `{"enrollment_id":"2f2b1c58-6a3a-4b0e-9b55-6c6c0f1f2a10","proof":"x"}`, status: 404, want: keyUnknown,
			code: audit.EnrollmentKeyFailureInvalidID,
		},
		{
			name: "expired", prepare: func(_ *testing.T, f *fixture, _ *phone) { f.Clock.Advance(601 * time.Second) },
			status: 404, want: keyUnknown, code: audit.EnrollmentKeyFailureInvalidID,
		},
		{name: "acknowledged", prepare: func(t *testing.T, f *fixture, p *phone) {
			f.fetchKeys(t, p)
			f.acknowledge(t, p)
			f.Codes(t)
		}, status: 404, want: keyUnknown, code: audit.EnrollmentKeyFailureInvalidID},
		{name: "installation removed meanwhile", prepare: func(t *testing.T, f *fixture, _ *phone) {
			must(t, f.Store.DeleteInstallation(t.Context(), id("A")))
		}, status: 404, want: keyUnknown, code: audit.EnrollmentKeyFailureInvalidID, reason: "installation_gone"},
		{
			name: "another step", claims: map[string]any{"step": "ack"}, status: 400, want: keyInvalid,
			code: audit.EnrollmentKeyFailureInvalidReq, reason: "proof_claims",
		},
		{
			name: "another challenge", claims: map[string]any{"challenge": "x"}, status: 400, want: keyInvalid,
			code: audit.EnrollmentKeyFailureInvalidReq, reason: "proof_claims",
		},
		{
			name: "another enrollment in the claims", claims: map[string]any{"enrollment_id": "x"}, status: 400, want: keyInvalid,
			code: audit.EnrollmentKeyFailureInvalidReq, reason: "proof_claims",
		},
		{
			name: "another key", prepare: func(t *testing.T, _ *fixture, p *phone) { p.sign = newPhone(t, "A", "PROF01").sign },
			status: 400, want: keyInvalid, code: audit.EnrollmentKeyFailureInvalidReq, reason: "proof_signature",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			p := newPhone(t, "A", "PROF01")
			f.begin(t, p, "")
			f.Codes(t)
			if tc.prepare != nil {
				tc.prepare(t, f, p)
			}
			body := tc.raw
			if body == "" {
				body = f.stepBody(t, p, "key", tc.claims)
			}
			got := audittest.Do(t, f.handler, audittest.Request{Path: keyPath, JSON: body})
			f.checkReason(t, got, tc.status, tc.want, tc.code, tc.reason)
		})
	}
}

// checkReason compares an answer that left exactly one event, and the reason in it.
func (f *fixture) checkReason(t *testing.T, got audittest.Answer, status int, body string, code audit.Code, reason string) {
	t.Helper()
	events := f.Events(t)
	if got.Status != status || body != "*" && got.Body != body || len(events) != 1 || events[0].Code != code {
		t.Fatalf("got %d %s %+v\nwant %d %s %s", got.Status, got.Body, events, status, body, code)
	}
	if reason != "" && !strings.Contains(events[0].Details, `"reason":"`+reason+`"`) {
		t.Errorf("details %s, want reason %s", events[0].Details, reason)
	}
}

func TestKeyStepRepeats(t *testing.T) {
	for name, unique := range map[string]bool{"shared keys": false, "keys of its own": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(d *settings.Document) { d.MobileAuthentication.UniqueKeysPerEnrollment = unique })
			p, other := newPhone(t, "A", "PROF01"), newPhone(t, "A", "PROF02")
			f.begin(t, p, "")
			f.begin(t, other, "")
			first := p.challenge
			f.Codes(t)
			f.check(t, f.fetchKeys(t, p), 200, "*", audit.EnrollmentKeyFetched)
			kids, second := p.kids, p.challenge
			if len(kids) != 2 || second == first {
				t.Fatalf("kids %v, challenge %s after %s", kids, second, first)
			}
			p.challenge = first // the answer was lost
			f.check(t, f.fetchKeys(t, p), 200, "*", audit.EnrollmentKeyFetched)
			f.check(t, f.fetchKeys(t, p), 200, "*", audit.EnrollmentKeyFetched)
			if !slices.Equal(p.kids, kids) || p.challenge == second {
				t.Errorf("kids %v, then %v; challenge %s, then %s", kids, p.kids, second, p.challenge)
			}
			f.check(t, f.fetchKeys(t, other), 200, "*", audit.EnrollmentKeyFetched)
			if slices.Equal(other.kids, kids) == unique {
				t.Errorf("another enrollment got %v, this one %v", other.kids, kids)
			}
			f.check(t, f.acknowledge(t, p), 204, "", audit.EnrollmentAckSuccess)
			if _, err := f.Store.ServerKey(t.Context(), kids[0]); err != nil {
				t.Errorf("the key that was handed out is not stored: %v", err)
			}
		})
	}
}

func TestKeysAtOnceAreTheSame(t *testing.T) {
	f := newFixture(t, func(d *settings.Document) { d.MobileAuthentication.UniqueKeysPerEnrollment = true })
	p := newPhone(t, "A", "PROF01")
	f.begin(t, p, "")
	var group sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]bool{}
	for range 10 {
		body := f.stepBody(t, p, "key", nil)
		group.Go(func() {
			got := audittest.Do(t, f.handler, audittest.Request{Path: keyPath, JSON: body})
			var parsed struct {
				Keys json.RawMessage `json:"keys"`
			}
			if err := json.Unmarshal([]byte(got.Body), &parsed); err != nil || got.Status != http.StatusOK {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			mu.Lock()
			answers[string(parsed.Keys)] = true
			mu.Unlock()
		})
	}
	group.Wait()
	if len(answers) != 1 {
		t.Errorf("%d different answers", len(answers))
	}
}

func TestAcknowledge(t *testing.T) {
	for _, tc := range []struct {
		name    string
		claims  map[string]any
		raw     string
		noKeys  bool
		prepare func(t *testing.T, f *fixture, p *phone)
		status  int
		want    string
		code    audit.Code
		reason  string
	}{
		{name: "active", status: 204, code: audit.EnrollmentAckSuccess},
		{name: "enrollment off meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.MobileAuthentication.EnrollmentEnabled = off() })
		}, status: 403, want: enrollmentOff, code: audit.EnrollmentFailureDisabled},
		{name: "push enrollment off meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.MobileAuthentication.PushEnrollmentEnabled = off() })
		}, status: 403, want: refusal("enrollment_disabled", "enrollment for push is disabled"), code: audit.EnrollmentFailureDisabled},
		{name: "version disabled meanwhile", prepare: func(_ *testing.T, f *fixture, _ *phone) {
			f.set(func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled })
		}, status: 403, want: versionOff, code: audit.ClientValidationVersionDisabled},
		{name: "malformed", raw: `{}{}`, status: 400, want: ackInvalid, code: audit.EnrollmentAckFailureInvalidID, reason: "body"},
		{
			name: "no proof", raw: `{"enrollment_id":"x"}`, status: 400, want: ackInvalid,
			code: audit.EnrollmentAckFailureInvalidID, reason: "missing_member",
		},
		{
			name: "malformed id", raw: `{"enrollment_id":"no-uuid","proof":"x"}`, status: 404, want: keyUnknown,
			code: audit.EnrollmentAckFailureInvalidID, reason: "malformed",
		},
		{
			name: "unknown", raw: `{"enrollment_id":"2f2b1c58-6a3a-4b0e-9b55-6c6c0f1f2a10","proof":"x"}`, status: 404, want: keyUnknown,
			code: audit.EnrollmentAckFailureInvalidID,
		},
		{
			name: "expired", prepare: func(_ *testing.T, f *fixture, _ *phone) { f.Clock.Advance(601 * time.Second) },
			status: 404, want: keyUnknown, code: audit.EnrollmentAckFailureInvalidID,
		},
		{
			name: "key step left out", noKeys: true, status: 400, want: ackInvalid,
			code: audit.EnrollmentAckFailureInvalidID, reason: "key_step_missing",
		},
		{
			name: "another step", claims: map[string]any{"step": "key"}, status: 400, want: ackInvalid,
			code: audit.EnrollmentAckFailureInvalidID, reason: "proof_claims",
		},
		{
			name: "another challenge", claims: map[string]any{"challenge": "x"}, status: 400, want: ackInvalid,
			code: audit.EnrollmentAckFailureInvalidID, reason: "proof_claims",
		},
		{
			name: "other server keys", claims: map[string]any{"server_kids": []string{"a", "b"}}, status: 400, want: ackInvalid,
			code: audit.EnrollmentAckFailureInvalidID, reason: "proof_claims",
		},
		{
			name: "another key", prepare: func(t *testing.T, _ *fixture, p *phone) { p.sign = newPhone(t, "A", "PROF01").sign },
			status: 400, want: ackInvalid, code: audit.EnrollmentAckFailureInvalidID, reason: "proof_signature",
		},
		{name: "profile removed meanwhile", prepare: func(t *testing.T, f *fixture, _ *phone) {
			must(t, f.Store.DeleteProfile(t.Context(), id("A"), "PROF01"))
		}, status: 404, want: keyUnknown, code: audit.EnrollmentAckFailureInvalidID, reason: "profile_gone"},
		{name: "profile of another user meanwhile", prepare: func(t *testing.T, f *fixture, _ *phone) {
			must(t, f.Store.DeleteProfile(t.Context(), id("A"), "PROF01"))
			must(t, f.Store.AddProfile(t.Context(), store.Profile{ClientID: id("A"), ProfileID: "PROF01", UserID: "u-9"}))
		}, status: 404, want: keyUnknown, code: audit.EnrollmentAckFailureInvalidID, reason: "other_user"},
		{name: "lost the race for the user", prepare: func(t *testing.T, f *fixture, _ *phone) {
			f.enroll(t, "B", "PROF01", push("android", 1))
		}, status: 409, want: twice, code: audit.EnrollmentInitFailureUserEnrolled},
		{name: "lost the race for the push token", prepare: func(t *testing.T, f *fixture, _ *phone) {
			f.enroll(t, "B", "PROF02", push("android", 0))
		}, status: 409, want: inUse, code: audit.EnrollmentInitFailureExistingPushToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			p := newPhone(t, "A", "PROF01")
			f.begin(t, p, push("android", 0))
			if !tc.noKeys {
				f.fetchKeys(t, p)
			}
			f.Codes(t)
			if tc.prepare != nil {
				tc.prepare(t, f, p)
			}
			before := f.enrolled(t)
			body := tc.raw
			if body == "" {
				body = f.stepBody(t, p, "ack", tc.claims)
			}
			got := audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: body})
			events := f.Events(t)
			if got.Status != tc.status || got.Body != tc.want || len(events) != 1 || events[0].Code != tc.code {
				t.Fatalf("got %d %s %+v\nwant %d %s %s", got.Status, got.Body, events, tc.status, tc.want, tc.code)
			}
			if tc.reason != "" && !strings.Contains(events[0].Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", events[0].Details, tc.reason)
			}
			if tc.status == http.StatusConflict && !strings.Contains(events[0].Details, `"stage":"ack"`) {
				t.Errorf("details %s, want the stage", events[0].Details)
			}
			if tc.status == http.StatusNoContent == slices.Equal(before, f.enrolled(t)) {
				t.Errorf("enrollments before %v, after %v", before, f.enrolled(t))
			}
		})
	}
}

func TestAcknowledgeRepeats(t *testing.T) {
	f := newFixture(t)
	p := newPhone(t, "A", "PROF01")
	f.begin(t, p, push("android", 0))
	f.fetchKeys(t, p)
	f.Codes(t)
	body := f.stepBody(t, p, "ack", nil)
	f.check(t, audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: body}), 204, "", audit.EnrollmentAckSuccess)
	e, err := f.Store.Enrollment(t.Context(), p.id)
	must(t, err)
	if e.ClientID != id("A") || e.UserID != "u-1" || e.ProfileID != "PROF01" || e.Application != "harbour" || e.PushState != store.PushActive ||
		e.DeviceName != "Kim's A" || !slices.Contains(p.kids, e.ServerEncKID) || !slices.Contains(p.kids, e.ServerSigKID) {
		t.Errorf("%+v", e)
	}
	f.check(t, audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: body}), 204, "")
	f.check(t, f.acknowledge(t, p), 204, "")
	f.check(t, audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: f.stepBody(t, p, "key", nil)}), 400, ackInvalid,
		audit.EnrollmentAckFailureInvalidID)
	thief := *p
	thief.sign = newPhone(t, "A", "PROF01").sign
	f.check(t, f.acknowledge(t, &thief), 400, ackInvalid, audit.EnrollmentAckFailureInvalidID)
}

func TestModesAtAcknowledge(t *testing.T) {
	old, next := push("android", 1), push("android", 0)
	for _, tc := range []struct {
		name  string
		mode  settings.PushMode
		where string // where the first device is
		push  string // of the first device
		next  string // of the second
		want  []string
		codes []audit.Code
	}{
		{
			"override on another installation", settings.OverrideAllowed, "B", old, next,
			[]string{"A/PROF01 active"},
			[]audit.Code{audit.EnrollmentInitDropExistingAppInstance, audit.EnrollmentAckSuccess},
		},
		{
			"override, keys only there", settings.OverrideAllowed, "B", "", next,
			[]string{"A/PROF01 active", "B/PROF01 none"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"override, keys only here", settings.OverrideAllowed, "B", old, "",
			[]string{"A/PROF01 none", "B/PROF01 active"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"override, another application", settings.OverrideAllowed, "Z", old, next,
			[]string{"A/PROF01 active", "Z/PROF01 active"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"override on the same installation", settings.OverrideAllowed, "A", old, next,
			[]string{"A/PROF01 active"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"many devices", settings.MultipleDevices, "B", old, next,
			[]string{"A/PROF01 active", "B/PROF01 active"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"many devices on the same installation", settings.MultipleDevices, "A", old, next,
			[]string{"A/PROF01 active"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
		{
			"single device, keys only twice", settings.SingleDevice, "A", "", "",
			[]string{"A/PROF01 none"},
			[]audit.Code{audit.EnrollmentAckSuccess},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, mode(tc.mode))
			first := f.enroll(t, tc.where, "PROF01", tc.push)
			open := store.Transaction{
				ID: f.NewID(), State: store.Pending, Version: 1, ClientID: id(tc.where), EnrollmentID: first.id,
				CreatedAt: f.Now(), ExpiresAt: f.Now().Add(time.Minute),
			}
			_, err := f.Redis.CreateTransaction(t.Context(), open, 20)
			must(t, err)
			p := newPhone(t, "A", "PROF01")
			f.begin(t, p, tc.next)
			f.fetchKeys(t, p)
			f.Codes(t)
			if was := f.enrolled(t); len(was) != 1 {
				t.Fatalf("before the last step %v", was)
			}
			f.check(t, f.acknowledge(t, p), 204, "", tc.codes...)
			if got := f.enrolled(t); !slices.Equal(got, tc.want) {
				t.Errorf("enrolled %v, want %v", got, tc.want)
			}
			outcome, err := f.Store.TransactionOutcome(t.Context(), open.ID)
			moved, readErr := f.Redis.Transaction(t.Context(), open.ID)
			must(t, readErr)
			if gone := len(tc.want) == 1; gone != (err == nil) || gone != (moved.State == store.Failed) ||
				gone && outcome.Reason != store.InvalidRequest {
				t.Errorf("open transaction of the first device: %+v, %v; in Redis %s", outcome, err, moved.State)
			}
		})
	}
}

// TestSingleDeviceHasOneWinner: 50 phones of one user acknowledge at once.
func TestSingleDeviceHasOneWinner(t *testing.T) {
	f := newFixture(t)
	const racers = 50
	bodies := make([]string, racers)
	for n := range bodies {
		name := "E" + string(rune('A'+n/26)) + string(rune('A'+n%26))
		f.install(t, name, "harbour", "android")
		p := newPhone(t, name, "PROF01")
		for _, got := range []audittest.Answer{f.begin(t, p, push("android", 0)+name), f.fetchKeys(t, p)} {
			if got.Status >= http.StatusBadRequest {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		bodies[n] = f.stepBody(t, p, "ack", nil)
	}
	f.Codes(t)
	var group sync.WaitGroup
	start := make(chan struct{})
	for _, body := range bodies {
		group.Go(func() {
			<-start
			got := audittest.Do(t, f.handler, audittest.Request{Path: ackPath, JSON: body})
			if got.Status != http.StatusNoContent && got.Body != twice {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	close(start)
	group.Wait()
	counts := map[audit.Code]int{}
	for _, code := range f.Codes(t) {
		counts[code]++
	}
	if counts[audit.EnrollmentAckSuccess] != 1 || counts[audit.EnrollmentInitFailureUserEnrolled] != racers-1 || len(counts) != 2 {
		t.Errorf("codes %v", counts)
	}
	if got := f.enrolled(t); len(got) != 1 {
		t.Errorf("enrolled %v", got)
	}
}
