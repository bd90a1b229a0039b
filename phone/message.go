package phone

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Pending is one open push transaction of this installation that was not fetched yet.
type Pending struct {
	TransactionID string `json:"transaction_id"`
	ProfileID     string `json:"profile_id"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`    // sent at, milliseconds since the epoch
	TimeToLive    int64  `json:"time_to_live"` // seconds left
}

// Message is a fetched transaction: what the user sees, and what the answer must repeat. A Message belongs to one goroutine:
// a refusal that lets the user try again puts the next challenge into it.
type Message struct {
	TransactionID     string `json:"transaction_id"`
	ProfileID         string `json:"user"`
	Method            string `json:"method"`         // push, push_with_pin, push_with_fingerprint, push_with_custom_authenticator, push_with_fido, otp
	AnswerVersion     int    `json:"answer_version"` // 2 when signing_data is to be signed
	Text              string `json:"message"`
	SecureText        string `json:"secure_message"` // never travelled through a push service
	SigningData       string `json:"signing_data"`
	Challenge         string `json:"challenge"`
	PINFallback       bool   `json:"pin_fallback"`
	MaxAttempts       int    `json:"max_attempts"`       // 0: unlimited
	RemainingAttempts *int   `json:"remaining_attempts"` // nil: unlimited
	ExpiresAt         int64  `json:"exp"`                // seconds since the epoch
	FIDORequest       string `json:"fido_request,omitempty"`

	EnrollmentID string  `json:"enrollment_id"`  // whose keys answer
	Sent         *Answer `json:"sent,omitempty"` // the last answer, for Resend
}

// Pending lists the open push transactions of all profiles, oldest first.
func (p *Phone) Pending(ctx context.Context) ([]Pending, error) {
	var list struct {
		Transactions []Pending `json:"transactions"`
	}
	err := p.asClient(ctx, familyTransaction, Request{Path: "/mobile-auth/v1/transactions/pending", JSON: map[string]any{}}, &list)
	if err != nil {
		return nil, fmt.Errorf("pending: %w", err)
	}
	return list.Transactions, nil
}

// Fetch gets the secured message of a transaction, decrypts it and verifies who wrote it and for whom. A transaction can be
// fetched once; when the network lost the answer, the identical proof is sent once more.
// Errors: *Error 9029 (fetched before), 10013 (unknown, finished, expired), 9021 (not enrolled).
func (p *Phone) Fetch(ctx context.Context, transactionID, profileID string) (*Message, error) {
	proof, err := p.NewProof(ctx, profileID, TypeFetch, Claims{"transaction_id": transactionID, "user": profileID})
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	return p.FetchWith(ctx, transactionID, profileID, proof)
}

// FetchWith is Fetch with a proof that was made before: repeated within 30 s it brings the identical message.
func (p *Phone) FetchWith(ctx context.Context, transactionID, profileID, proof string) (*Message, error) {
	m, err := p.fetch(ctx, "/mobile-auth/v1/transactions/fetch", profileID, proof)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if m.TransactionID != transactionID {
		return nil, errors.New("fetch: the message is about another transaction")
	}
	return m, nil
}

// fetch sends a proof to one of the fetching endpoints and opens the reply.
func (p *Phone) fetch(ctx context.Context, path, profileID, proof string) (*Message, error) {
	request := Request{Path: path, JSON: map[string]any{"proof": proof}}
	response, err := p.Do(ctx, request)
	if err != nil && ctx.Err() == nil { // no answer: repeat the identical bytes, once
		response, err = p.Do(ctx, request)
	}
	if err != nil {
		return nil, err
	}
	var reply struct {
		Message string `json:"message"`
	}
	if err := response.decode(familyTransaction, &reply); err != nil {
		return nil, err
	}
	return p.OpenMessage(profileID, reply.Message)
}

// OpenMessage decrypts a message with the device's encryption key, verifies the signature of the server and checks type,
// issuer, audience (the enrollment), profile and expiry.
func (p *Phone) OpenMessage(profileID, message string) (*Message, error) {
	e, err := p.enrolled(profileID)
	if err != nil {
		return nil, err
	}
	signed, err := Decrypt(e.Decrypt, message)
	if err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(p.snapshot().Issuer), jwt.WithAudience(e.ID),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(p.options.Now))
	token, err := parser.ParseWithClaims(signed, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != TypeMessage {
			return nil, errors.New("another type of token")
		}
		if kid, named := t.Header["kid"]; named && kid != e.ServerSig.KeyID {
			return nil, errors.New("signed by another key")
		}
		public, ok := e.ServerSig.Key.(*ecdsa.PublicKey)
		if !ok {
			return nil, errors.New("server key is not an EC key")
		}
		return public, nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify message: %w", err)
	}
	m, err := readMessage(token.Claims)
	if err != nil {
		return nil, err
	}
	if m.ProfileID != profileID {
		return nil, errors.New("verify message: it is for another profile")
	}
	m.EnrollmentID = e.ID
	return m, nil
}

// readMessage turns verified claims into a message.
func readMessage(claims jwt.Claims) (*Message, error) {
	data, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	var m Message
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	m.EnrollmentID, m.Sent = "", nil
	return &m, nil
}

// Decrypt opens a compact JWE of this protocol: ECDH-ES with A256GCM and nothing else.
func Decrypt(key *Key, message string) (string, error) {
	object, err := jose.ParseEncryptedCompact(message, []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return "", fmt.Errorf("decrypt message: %w", err)
	}
	plain, err := object.Decrypt(key.private)
	if err != nil {
		return "", fmt.Errorf("decrypt message: %w", err)
	}
	return string(plain), nil
}
