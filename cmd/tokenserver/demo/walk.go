package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// Step is one step of the main job as it went.
type Step struct {
	Name   string       `json:"step"`
	OK     bool         `json:"ok"`
	Status int          `json:"http_status"` // of the last answer of the server
	Audit  []audit.Code `json:"audit"`       // every code that the step wrote, in order
	Millis float64      `json:"ms"`          // until the step's answer; the wait for the audit log is not in it
	Says   string       `json:"-"`           // for people: what happened
	Error  string       `json:"error,omitempty"`
}

// Log reads the sealed audit log of the server.
type Log interface {
	EventsAfter(ctx context.Context, after int64, limit int) ([]audit.Sealed, error)
}

// Walk walks the main job on a running server.
type Walk struct {
	World   *World
	BaseURL string // of the server, with /oauth
	Log     Log
	Tell    func(Step) // called after each step

	Phone     *phone.Phone // the virtual phone, once it has registered
	ProfileID string
	transport *lastStatus
	position  int64
	message   *phone.Message
	started   *standin.Initiated
	tokens    *phone.Tokens
}

// sealing is how long the sealer may take before a step counts as failed.
const sealing = 5 * time.Second

type step struct {
	name, says string
	do         func(context.Context) error
	audit      []audit.Code
}

// Run walks all steps and returns an error at the first that is not as expected.
func (w *Walk) Run(ctx context.Context) error {
	w.transport = &lastStatus{under: http.DefaultTransport}
	// The server's start has applied the settings of the demo: the first event of the log.
	if _, err := w.written(ctx, []audit.Code{audit.SettingsApplied}); err != nil {
		return err
	}
	for _, s := range w.steps() {
		if err := w.take(ctx, s); err != nil {
			return fmt.Errorf("step %q: %w", s.name, err)
		}
	}
	return nil
}

func (w *Walk) steps() []step {
	return []step{
		{
			"register", "A fresh copy of the app makes a key, proves its build, and becomes an OAuth client of its own.",
			w.register,
			[]audit.Code{audit.DynamicRegSuccess},
		},
		{
			"validate", "At each start the app asks whether its registration still holds.",
			w.validate,
			[]audit.Code{audit.ClientCredentialsCheckSuccess},
		},
		{
			"sign-in", "Kim signs in once in the browser, consents, and sets a PIN. The PIN stays on the phone.",
			w.signIn,
			[]audit.Code{
				audit.AccountSignInSuccess, audit.ConsentGiven, audit.AuthzRequestGrantCreated, audit.TokenRequestAccessTokenCreated,
			},
		},
		{
			"refresh", "From now on the PIN gets fresh tokens.",
			w.refresh,
			[]audit.Code{audit.TokenRequestAccessTokenRefreshed},
		},
		{
			"introspect", "The bank's API gateway asks whether the token is good.",
			w.introspect,
			[]audit.Code{audit.APIAccessGranted, audit.TokenRequestAccessTokenValidated},
		},
		{
			"enroll", "Phone and server exchange keys for mobile authentication, in three steps.",
			w.enroll,
			[]audit.Code{audit.EnrollmentInitialized, audit.EnrollmentKeyFetched, audit.EnrollmentAckSuccess},
		},
		{
			"push", "The portal asks “is it really you?”: a push goes out through Google's protocol.",
			w.push,
			[]audit.Code{audit.APIAccessGranted, audit.PushAuthInitialized},
		},
		{
			"fetch", "The phone fetches the message, encrypted for it alone. The push itself held nothing secret.",
			w.fetch,
			[]audit.Code{audit.PushAuthFetchSecuredMessageFetched},
		},
		{
			"wrong-pin", "A wrong PIN yields a wrong credential. The server counts.",
			w.wrongPIN,
			[]audit.Code{audit.PushAuthNotAuthenticatedInvalidRefreshToken},
		},
		{
			"approve", "The right PIN: the answer is signed by the phone, encrypted for the server, and the portal is called back.",
			w.approve,
			[]audit.Code{audit.PushAuthAuthenticated, audit.PushAuthCallbackSent},
		},
		{
			"result", "The portal fetches the result.",
			w.result,
			[]audit.Code{audit.APIAccessGranted, audit.PushAuthTransactionRetrieved},
		},
	}
}

// take runs one step and waits until exactly its codes stand in the log.
func (w *Walk) take(ctx context.Context, s step) error {
	start := w.World.now()
	err := s.do(ctx)
	told := Step{
		Name: s.name, Says: s.says, Status: w.transport.status(),
		Millis: float64(w.World.now().Sub(start).Microseconds()) / 1000,
	}
	if err == nil {
		told.Audit, err = w.written(ctx, s.audit)
	}
	told.OK = err == nil
	if err != nil {
		told.Error = err.Error()
	}
	w.Tell(told)
	return err
}

// written reads what the step wrote. The codes must be the expected ones, in their order, and no other.
func (w *Walk) written(ctx context.Context, want []audit.Code) ([]audit.Code, error) {
	ctx, cancel := context.WithTimeout(ctx, sealing)
	defer cancel()
	var got []audit.Code
	for {
		events, err := w.Log.EventsAfter(ctx, w.position, 100)
		if err != nil {
			return got, fmt.Errorf("read the audit log: %w", err)
		}
		for i := range events {
			got = append(got, events[i].Code)
			w.position = events[i].Position
		}
		if len(got) >= len(want) {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return got, fmt.Errorf("the audit log shows %v, want %v", got, want)
		}
	}
	if !slices.Equal(got, want) {
		return got, fmt.Errorf("the audit log shows %v, want %v", got, want)
	}
	return got, nil
}

func (w *Walk) register(ctx context.Context) (err error) {
	if w.Phone, err = w.World.newPhone(w.BaseURL, w.transport); err != nil {
		return err
	}
	return w.Phone.Register(ctx, "Kim's phone")
}

func (w *Walk) validate(ctx context.Context) error {
	v, err := w.Phone.Validate(ctx)
	if err == nil && v.Status != phone.Valid {
		return fmt.Errorf("the installation is %s", v.Status)
	}
	return err
}

func (w *Walk) signIn(ctx context.Context) (err error) {
	w.ProfileID = phone.NewProfileID()
	person := &phone.Person{Username: username, Password: w.World.Password, Consent: true}
	w.tokens, err = w.Phone.SignIn(ctx, w.ProfileID, PIN, []string{"openid", "accounts"}, person)
	return err
}

func (w *Walk) refresh(ctx context.Context) (err error) {
	w.tokens, err = w.Phone.Refresh(ctx, w.ProfileID, PIN)
	return err
}

// introspect asks as the bank's gateway does, with plain HTTP.
func (w *Walk) introspect(ctx context.Context) error {
	form := url.Values{"token": {w.tokens.AccessToken}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.BaseURL+"/api/v2/token/introspect", strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(gatewayClient, w.World.Secret)
	answer, err := w.transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if !strings.Contains(string(body), `"active":true`) {
		return fmt.Errorf("the token is not active (status %d)", answer.StatusCode)
	}
	return nil
}

func (w *Walk) enroll(ctx context.Context) error { return w.Phone.Enroll(ctx, w.ProfileID, pushToken) }

func (w *Walk) push(ctx context.Context) (err error) {
	w.started, err = w.World.initiate(ctx, w.World.portalAPI(w.BaseURL, w.transport), typeWithPIN, w.Phone.ClientID(),
		"Harbour Bank asks you to confirm a payment.", "€ 125.00 to J. Doe")
	return err
}

// fetch reads the push as the phone's operating system delivers it.
func (w *Walk) fetch(ctx context.Context) error {
	pushes := w.World.FCM.Pushes()
	if len(pushes) == 0 {
		return errors.New("no push has arrived")
	}
	push, err := phone.ParsePush(pushes[len(pushes)-1].Payload)
	if err != nil {
		return err
	}
	w.message, err = w.Phone.Fetch(ctx, push.TransactionID, push.ProfileID)
	return err
}

func (w *Walk) wrongPIN(ctx context.Context) error {
	_, err := w.Phone.Accept(ctx, w.message, "48214")
	if refused := phone.Refused(err); refused == nil || refused.Remaining == nil || *refused.Remaining != 2 {
		return fmt.Errorf("a wrong PIN was not refused with 2 tries left: %w", err)
	}
	return nil
}

func (w *Walk) approve(ctx context.Context) error {
	result, err := w.Phone.Accept(ctx, w.message, PIN)
	if err == nil && result.Result != "authenticated" {
		return fmt.Errorf("the result is %q", result.Result)
	}
	return err
}

func (w *Walk) result(ctx context.Context) error {
	calls := w.World.Portal.Callbacks()
	if len(calls) == 0 || calls[len(calls)-1].Problem != "" {
		return errors.New("the portal's callback did not arrive with a good signature")
	}
	got, err := w.World.portalAPI(w.BaseURL, w.transport).Result(ctx, w.started.TransactionID)
	if err == nil && (!got.Authenticated || got.UserID != userID) {
		return fmt.Errorf("the portal does not see %s authenticated", userID)
	}
	return err
}

// lastStatus remembers the status of the last answer.
type lastStatus struct {
	under http.RoundTripper
	last  atomic.Int64
}

func (l *lastStatus) status() int { return int(l.last.Load()) }

// RoundTrip implements http.RoundTripper.
func (l *lastStatus) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.under.RoundTrip(r)
	if err == nil {
		l.last.Store(int64(answer.StatusCode))
	}
	return answer, err
}
