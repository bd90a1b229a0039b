package oidc

import (
	"net/http"
	"time"

	"tokenserver/audit"
)

// Authentication is how this server proves itself to a provider (OpenID Connect Core §9).
type Authentication string

// The methods of client authentication.
const (
	SecretBasic   Authentication = "client_secret_basic"
	SecretPost    Authentication = "client_secret_post"
	PrivateKeyJWT Authentication = "private_key_jwt"
)

// Provider is one provider as the settings describe it. With an issuer it is an OpenID provider, and its endpoints come from
// discovery; otherwise it is a plain OAuth 2.0 server.
type Provider struct {
	Issuer        string
	Authorization string // plain OAuth: the URL to which browsers are sent
	Token         string // plain OAuth: the URL that redeems codes
	Profile       string // plain OAuth: the URL that says who the user is

	ClientID       string
	Authentication Authentication
	Secret         string
	SigningKey     string // PEM, for private_key_jwt
	SigningKeyID   string // kid; "" = the key's thumbprint (RFC 7638)
	Scopes         []string
}

// OpenID tells whether the provider gives ID tokens.
func (p Provider) OpenID() bool { return p.Issuer != "" }

// Client talks to providers. Every field but TransactionHeader is required. Safe for concurrent use.
type Client struct {
	HTTP      *http.Client // of package outbound, purpose provider: no redirects
	Directory *Directory
	Keys      keySets
	Now       func() time.Time
	NewID     func() string // UUID

	TransactionHeader string // carries the transaction id of the audit log on to the provider; "" = none
}

// call sends a request of a sign-in and returns the JSON object of its answer. Errors: *Refusal.
func (c *Client) call(request *http.Request) (members map[string]any, status int, err error) {
	if id := audit.TransactionID(request.Context()); id != "" && c.TransactionHeader != "" {
		request.Header.Set(c.TransactionHeader, id)
	}
	members, status, _, err = object(c.HTTP, request)
	return members, status, err
}

// Refusal says why an answer of a provider cannot be used.
type Refusal struct {
	Reason string // a constant word for the audit log
	Status int    // HTTP status of the answer; 0 = there was none
	Code   string // the provider's error code, "" = none; letters, digits and ._- only
	cause  error
}

// Error names reason, status and cause.
func (r *Refusal) Error() string {
	text := r.Reason
	if r.Code != "" {
		text += " (" + r.Code + ")"
	}
	if r.cause != nil {
		text += ": " + r.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

func refuse(reason string) error { return &Refusal{Reason: reason} }

func refuseBecause(reason string, err error) error { return &Refusal{Reason: reason, cause: err} }
