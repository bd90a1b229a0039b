package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/jobs"
	"tokenserver/internal/outbound"
	"tokenserver/store"
)

// BackChannelJob is the kind of the jobs that tell a client about the end of a session.
const BackChannelJob = "sessions.backchannel"

const (
	backChannelWorkers = 8
	logoutTokenLife    = 2 * time.Minute
	typeLogoutToken    = "logout+jwt"
	logoutEvent        = "http://schemas.openid.net/event/backchannel-logout"
)

// notice is a job's payload.
type notice struct {
	ClientID  string `json:"client_id"`
	UserID    string `json:"user_id"`
	SessionID string `json:"sid"`
}

func (n notice) attrs() []audit.Attr {
	return []audit.Attr{audit.Client(n.ClientID), audit.User(n.UserID)}
}

// BackChannel tells clients that sessions have ended (OpenID Connect Back-Channel Logout 1.0 §2.5). Every field is
// required.
type BackChannel struct {
	Settings settingsSource
	Signing  signer
	Client   *http.Client // guarded; does not follow redirects
	Timeout  time.Duration
	Issuer   string
	Audit    *audit.Recorder
	Now      func() time.Time
	NewID    func() string // UUID
}

// signer is the ring of signing keys.
type signer interface {
	Sign(ctx context.Context, typ string, claims any) (string, error)
}

// Kind is how the job runner delivers. OPENID_BACKCHANNEL_LOGOUT_SENT or, after the last try,
// OPENID_BACKCHANNEL_LOGOUT_FAILED is written once for each client of a session.
func (k *BackChannel) Kind() jobs.Kind {
	return jobs.Kind{Name: BackChannelJob, Workers: backChannelWorkers, Timeout: k.Timeout, Work: k.deliver, Bury: k.giveUp}
}

// logoutToken is the claims of a logout token (§2.4). There is never a nonce: it must not pass for an ID token.
type logoutToken struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// undelivered is an answer that is no success; status 0 = there was none.
type undelivered struct {
	status int
	class  string // short, for the event
	cause  error
}

func (u undelivered) Error() string {
	if u.cause != nil {
		return "back-channel logout: " + u.cause.Error()
	}
	return "back-channel logout: status " + strconv.Itoa(u.status)
}

func (u undelivered) Unwrap() error { return u.cause }

// deliver calls the client once. Each try carries a token of its own, because tokens live for two minutes.
func (k *BackChannel) deliver(ctx context.Context, job store.Job) error {
	var n notice
	if err := json.Unmarshal(job.Payload, &n); err != nil {
		return jobs.Final(undelivered{class: "payload", cause: fmt.Errorf("decode logout notice: %w", err)})
	}
	client := k.Settings.Current().WebClient(n.ClientID)
	if client == nil || client.Disabled || client.OpenIDConnect.BackChannelLogoutURL == "" {
		return jobs.Final(undelivered{class: "not_configured", cause: errors.New("the client takes no notices any more")})
	}
	now := k.Now()
	token, err := k.Signing.Sign(ctx, typeLogoutToken, logoutToken{
		Issuer: k.Issuer, Subject: n.UserID, Audience: n.ClientID, IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutTokenLife).Unix(),
		ID: k.NewID(), SessionID: n.SessionID, Events: map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return undelivered{class: "signing", cause: err}
	}
	status, err := k.post(ctx, client.OpenIDConnect.BackChannelLogoutURL, token)
	if err != nil {
		return err
	}
	k.Audit.Record(ctx, audit.OpenidBackchannelLogoutSent,
		append(n.attrs(), audit.Count("http_status", status), audit.Count("tries", job.Attempts))...)
	return nil
}

func (k *BackChannel) post(ctx context.Context, address, token string) (status int, err error) {
	body := url.Values{"logout_token": {token}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0, jobs.Final(undelivered{class: "invalid_url", cause: outbound.WithoutQuery(err)})
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := k.Client.Do(request)
	if err != nil {
		failed := undelivered{class: "unreachable", cause: outbound.WithoutQuery(err)}
		switch {
		case errors.Is(err, outbound.ErrForbidden):
			failed.class = "address_not_allowed"
			return 0, jobs.Final(failed)
		case errors.Is(err, context.DeadlineExceeded):
			failed.class = "timeout"
		}
		return 0, failed
	}
	_ = response.Body.Close() // what the client says beside the status does not matter
	switch status = response.StatusCode; {
	case status == http.StatusOK, status == http.StatusNoContent:
		return status, nil
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return 0, undelivered{status: status, class: "status"}
	default:
		return 0, jobs.Final(undelivered{status: status, class: "status"})
	}
}

// giveUp records that the client could not be told.
func (k *BackChannel) giveUp(ctx context.Context, job store.Job, cause error) error {
	var n notice
	_ = json.Unmarshal(job.Payload, &n) // an unreadable payload is what the event is about then
	failed := undelivered{class: "fault"}
	errors.As(cause, &failed)
	attrs := append(n.attrs(), audit.Count("tries", job.Attempts), audit.Reason(failed.class))
	if failed.status != 0 {
		attrs = append(attrs, audit.Count("http_status", failed.status))
	}
	k.Audit.Record(ctx, audit.OpenidBackchannelLogoutFailed, attrs...)
	return nil
}
