package clientauth

import (
	"context"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// AssertionType is the only client_assertion_type (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Credentials is what a request carries to name its client, as it stood in the request. Empty members are absent.
type Credentials struct {
	Basic         bool // there is a Basic header, even a malformed one
	BasicID       string
	BasicSecret   string
	ID            string // client_id of the form
	Secret        string // client_secret of the form
	AssertionType string // client_assertion_type
	Assertion     string // client_assertion
}

// Client is a client that has proved itself. Exactly one of Web, API and Installation is set; Application comes with
// Installation, Version too unless an administrator removed it.
type Client struct {
	ID           string
	Web          *settings.WebClient
	API          *settings.APIClient
	Installation *store.Installation
	Application  *settings.Application
	Version      *settings.AppVersion
}

// Public tells whether the client has no credentials of its own: everybody can name it.
func (c Client) Public() bool { return c.Web != nil && c.Web.Public() }

// Reason tells why a client was refused; it stands in the details of audit events.
type Reason string

// The reasons.
const (
	Missing           Reason = "missing"
	Malformed         Reason = "malformed"
	Ambiguous         Reason = "ambiguous" // more than one way to authenticate in one request
	UnknownClient     Reason = "unknown_client"
	Disabled          Reason = "disabled"
	WrongSecret       Reason = "wrong_secret"
	WrongMethod       Reason = "wrong_method"
	AssertionInvalid  Reason = "assertion_invalid"
	AssertionExpired  Reason = "assertion_expired"
	AssertionReplayed Reason = "assertion_replayed"
	KeysUnavailable   Reason = "jwks_unavailable" // the keys at the client's jwks_uri cannot be had
	Throttled         Reason = "throttled"        // too many failures for this client id; nothing was compared
)

// guess tells whether somebody tried a credential that the client has. Only that spends the client's budget of failures:
// else anybody could lock out a public client, which has nothing that could be guessed.
func (r Reason) guess() bool {
	switch r {
	case WrongSecret, AssertionInvalid, AssertionExpired, AssertionReplayed:
		return true
	case Missing, Malformed, Ambiguous, UnknownClient, Disabled, WrongMethod, KeysUnavailable, Throttled, wrongAndCounted:
	}
	return false
}

// Refused is the error for a client that could not prove itself.
type Refused struct {
	Reason   Reason
	ClientID string // the one that was named; foreign text, at most 128 bytes
	Known    bool   // there is such a client, and it is not disabled
	Report   int    // with Throttled: refusals to put into this minute's summarising event; 0 = none is due
}

// Error prints the reason for the server log.
func (r *Refused) Error() string { return "client authentication: " + string(r.Reason) }

type apiClientKey struct{}

// WithAPIClient hands the API client that was let in to the handlers behind the access check.
func WithAPIClient(ctx context.Context, c *settings.APIClient) context.Context {
	return context.WithValue(ctx, apiClientKey{}, c)
}

// APIClientOf returns the API client that was let in, nil outside such a request.
func APIClientOf(ctx context.Context) *settings.APIClient {
	c, _ := ctx.Value(apiClientKey{}).(*settings.APIClient)
	return c
}

// ClaimedClient reads which client an assertion speaks for, before anything about it is believed; "" when it cannot be
// read.
func ClaimedClient(assertion string) string { return claimedClient(assertion) }
