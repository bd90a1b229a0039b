package phone

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// enrollment is one profile's part in mobile authentication. It is replaced as a whole, never changed.
type enrollment struct {
	ID        string          `json:"id"`      // UUID; kid of every JWS
	Sign      *Key            `json:"sign"`    // device signing key
	Decrypt   *Key            `json:"decrypt"` // device encryption key
	ServerEnc jose.JSONWebKey `json:"server_enc"`
	ServerSig jose.JSONWebKey `json:"server_sig"`
	PushToken string          `json:"push_token,omitempty"`
}

// Enrollment is an enrollment on its way: begun, keys exchanged, not yet acknowledged. The fields are exported so that tests
// can stop in the middle and go on wrongly.
type Enrollment struct {
	ID        string
	ProfileID string
	Challenge string // of the last step
	Keys      []*Key // signing key, encryption key
	Server    jose.JSONWebKeySet
	PushToken string

	phone *Phone
}

// Enroll exchanges keys with the server for a signed-in profile, and hands over the push token (empty: keys only, enough for
// one-time passwords). Keys are new for every enrollment; a former enrollment of the profile stays in use until the last step has
// succeeded. Errors: *Error 9010 (not signed in), 9016, 9017, 9018.
func (p *Phone) Enroll(ctx context.Context, profileID, pushToken string) error {
	e, err := p.BeginEnrollment(ctx, profileID, pushToken)
	if err != nil {
		return err
	}
	if err := e.FetchKeys(ctx); err != nil {
		return err
	}
	return e.Acknowledge(ctx)
}

// BeginEnrollment is the first step: new keys, proven by a signature of the new signing key, under the client authentication
// of the installation and the access token of the user.
func (p *Phone) BeginEnrollment(ctx context.Context, profileID, pushToken string) (*Enrollment, error) {
	token, err := p.AccessToken(profileID)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	sign, err := NewKey()
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	decrypt, err := NewKey()
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	e := &Enrollment{ProfileID: profileID, PushToken: pushToken, Keys: []*Key{sign, decrypt}, phone: p}
	body, err := e.initBody(ctx)
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	request := Request{Path: "/mobile-auth/v1/enrollments", JSON: body, ClientAuth: true}
	if p.snapshot().ClientKey == nil {
		body["access_token"] = token // the Authorization header is taken by Basic
	} else {
		request.Bearer = token
	}
	var answer struct {
		ID        string `json:"enrollment_id"`
		Challenge string `json:"challenge"`
	}
	if err := p.call(ctx, familyEnrollment, request, &answer); err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	e.ID, e.Challenge = answer.ID, answer.Challenge
	return e, nil
}

// initBody builds keys, push token and proof of the first step.
func (e *Enrollment) initBody(ctx context.Context) (map[string]any, error) {
	hash, err := KeysHash(e.Keys[0], e.Keys[1])
	if err != nil {
		return nil, err
	}
	claims, err := e.phone.CommonClaims(ctx)
	if err != nil {
		return nil, err
	}
	claims["step"], claims["client_id"], claims["profile_id"] = "init", e.phone.ClientID(), e.ProfileID
	claims["keys_hash"] = hash
	proof, err := e.Keys[0].Sign(Claims{"typ": TypeEnroll, "jwk": e.Keys[0].JWK("")}, claims)
	if err != nil {
		return nil, err
	}
	keys := make([]any, 0, len(e.Keys))
	for i, use := range []string{"sig", "enc"} {
		jwk := e.Keys[i].JWK(use)
		if jwk.KeyID, err = e.Keys[i].Thumbprint(); err != nil {
			return nil, err
		}
		keys = append(keys, jwk)
	}
	body := map[string]any{"keys": keys, "proof": proof}
	if e.PushToken != "" {
		body["push_token"] = e.PushToken
	}
	return body, nil
}

// KeysHash is base64url(SHA-256(thumbprint of the signing key "." thumbprint of the encryption key)).
func KeysHash(sign, decrypt *Key) (string, error) {
	first, err := sign.Thumbprint()
	if err != nil {
		return "", err
	}
	second, err := decrypt.Thumbprint()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(first + "." + second))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// FetchKeys is the second step: the keys of the server. It may be repeated until the enrollment is acknowledged.
func (e *Enrollment) FetchKeys(ctx context.Context) error {
	proof, err := e.Proof(ctx, "key", nil)
	if err != nil {
		return fmt.Errorf("enrollment keys: %w", err)
	}
	var answer struct {
		Keys      []jose.JSONWebKey `json:"keys"`
		Challenge string            `json:"challenge"`
	}
	err = e.phone.call(ctx, familyEnrollment, Request{
		Path: "/mobile-auth/v1/enrollments/key", JSON: map[string]any{"enrollment_id": e.ID, "proof": proof},
	}, &answer)
	if err != nil {
		return fmt.Errorf("enrollment keys: %w", err)
	}
	e.Server.Keys, e.Challenge = answer.Keys, answer.Challenge
	if _, err := e.serverKey("enc"); err != nil {
		return err
	}
	_, err = e.serverKey("sig")
	return err
}

// Acknowledge is the last step. Only after it does the phone use the new keys. A repeat after a lost answer is harmless.
func (e *Enrollment) Acknowledge(ctx context.Context) error {
	kids := make([]string, 0, len(e.Server.Keys))
	for _, key := range e.Server.Keys {
		kids = append(kids, key.KeyID)
	}
	proof, err := e.Proof(ctx, "ack", Claims{"server_kids": kids})
	if err != nil {
		return fmt.Errorf("acknowledge enrollment: %w", err)
	}
	err = e.phone.call(ctx, familyEnrollment, Request{
		Path: "/mobile-auth/v1/enrollments/acknowledge", JSON: map[string]any{"enrollment_id": e.ID, "proof": proof},
	}, nil)
	if err != nil {
		return fmt.Errorf("acknowledge enrollment: %w", err)
	}
	done := &enrollment{ID: e.ID, Sign: e.Keys[0], Decrypt: e.Keys[1], PushToken: e.PushToken}
	if done.ServerEnc, err = e.serverKey("enc"); err != nil {
		return err
	}
	if done.ServerSig, err = e.serverKey("sig"); err != nil {
		return err
	}
	e.phone.change(func(s *state) { s.user(e.ProfileID).Enrollment = done })
	return nil
}

// Proof signs a later step with the new key: step, enrollment id and the latest challenge, plus extra claims.
func (e *Enrollment) Proof(ctx context.Context, step string, extra Claims) (string, error) {
	claims, err := e.phone.CommonClaims(ctx)
	if err != nil {
		return "", err
	}
	claims["step"], claims["enrollment_id"], claims["challenge"] = step, e.ID, e.Challenge
	for name, value := range extra {
		claims[name] = value
	}
	return e.Keys[0].Sign(Claims{"typ": TypeEnroll, "kid": e.ID}, claims)
}

// serverKey finds the server's key for one use.
func (e *Enrollment) serverKey(use string) (jose.JSONWebKey, error) {
	for _, key := range e.Server.Keys {
		if key.Use == use && key.Valid() && key.IsPublic() {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, errors.New("enrollment keys: the server sent no " + use + " key")
}

// UpdatePushToken tells the server that the push service has given the app another token; Android only, iOS enrolls again.
// It works for all profiles of the installation that hold the old one, and needs no user.
func (p *Phone) UpdatePushToken(ctx context.Context, oldToken, newToken string) error {
	err := p.asClient(ctx, familyEnrollment, Request{
		Method: http.MethodPut, Path: "/mobile-auth/v1/push-token",
		JSON: map[string]any{"old_push_token": oldToken, "new_push_token": newToken},
	}, nil)
	if err != nil {
		return fmt.Errorf("update push token: %w", err)
	}
	p.change(func(s *state) {
		for _, user := range s.Profiles {
			if user.Enrollment != nil && user.Enrollment.PushToken == oldToken {
				next := *user.Enrollment
				next.PushToken = newToken
				user.Enrollment = &next
			}
		}
	})
	return nil
}

// PushToken returns the push token that the profile enrolled with; empty: keys only, or not enrolled.
func (p *Phone) PushToken(profileID string) string {
	e, err := p.enrolled(profileID)
	if err != nil {
		return ""
	}
	return e.PushToken
}
