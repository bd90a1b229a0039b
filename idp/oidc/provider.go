package oidc

import (
	"errors"
	"net/http"
	"time"
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
	Scopes         []string
}

// OpenID tells whether the provider gives ID tokens.
func (p Provider) OpenID() bool { return p.Issuer != "" }

// Client talks to providers. Every field is required. Safe for concurrent use.
type Client struct {
	HTTP      *http.Client // of package outbound, purpose provider: no redirects
	Directory *Directory
	Keys      keySets
	Signing   signer
	Now       func() time.Time
	NewID     func() string // UUID
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

// RefusalOf returns the refusal in the chain of err; for any other error one that says so.
func RefusalOf(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{Reason: "failed here", cause: err}
}
