package phone

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Ways to answer.
const (
	MethodPush        = "push"
	MethodPIN         = "push_with_pin"
	MethodFingerprint = "push_with_fingerprint"
	MethodCustom      = "push_with_custom_authenticator"
	MethodFIDO        = "push_with_fido"
	MethodOTP         = "otp"
)

// Answer is a signed (and, when it carries a token, encrypted) answer, ready to be sent. Sending the same Answer again within a
// minute is a repeat: it gets the stored result and costs no attempt.
type Answer struct {
	TransactionID string `json:"transaction_id"`
	Version       int    `json:"version"` // of the endpoint: 1, or 2 with transaction signing
	Text          string `json:"answer"`  // compact JWS or JWE
}

// Result is what the server made of an answer.
type Result struct {
	Result        string `json:"result"` // authenticated or denied
	TransactionID string `json:"transaction_id"`
}

// Accept answers with the PIN. A wrong PIN is an *Error with Used, Max and Remaining, and the message is ready for another try;
// at zero the user is removed from server and phone (9003).
func (p *Phone) Accept(ctx context.Context, m *Message, pin string) (*Result, error) {
	token, _, err := p.unmask(m.ProfileID, pin)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	return p.respond(ctx, m, "accept", MethodPIN, Claims{"refresh_token": token})
}

// AcceptPlain answers without proof of the user: for push and otp transactions.
func (p *Phone) AcceptPlain(ctx context.Context, m *Message) (*Result, error) {
	method := MethodPush
	if m.Method == MethodOTP {
		method = MethodOTP
	}
	return p.respond(ctx, m, "accept", method, nil)
}

// AcceptWithFingerprint answers with the token that biometrics release. When it is refused, the server removes the fingerprint
// tokens of the user; PINFallback says whether the PIN may answer instead.
func (p *Phone) AcceptWithFingerprint(ctx context.Context, m *Message) (*Result, error) {
	token, err := p.FingerprintToken(m.ProfileID)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", err)
	}
	result, err := p.respond(ctx, m, "accept", MethodFingerprint, Claims{"finger_print_refresh_token": token})
	if e := Refused(err); e != nil && e.Code == "fingerprint_revoked" {
		p.SetFingerprintToken(m.ProfileID, "")
	}
	return result, err
}

// AcceptWithCustomAuthenticator answers with the access token that a custom authenticator has just handed out.
func (p *Phone) AcceptWithCustomAuthenticator(ctx context.Context, m *Message, token string) (*Result, error) {
	return p.respond(ctx, m, "accept", MethodCustom, Claims{"custom_authenticator_token": token})
}

// AcceptWithFIDO answers with the response of a FIDO authenticator to Message.FIDORequest.
func (p *Phone) AcceptWithFIDO(ctx context.Context, m *Message, response string) (*Result, error) {
	return p.respond(ctx, m, "accept", MethodFIDO, Claims{"fido_response": response})
}

// Deny refuses the transaction; the signature of the device is enough.
func (p *Phone) Deny(ctx context.Context, m *Message) (*Result, error) {
	return p.respond(ctx, m, "deny", "", nil)
}

// Resend sends the last answer to the message again, byte by byte: the repair of a lost reply.
func (p *Phone) Resend(ctx context.Context, m *Message) (*Result, error) {
	if m.Sent == nil {
		return nil, errors.New("resend: nothing was sent yet")
	}
	return p.settle(ctx, m, m.Sent)
}

// respond builds, sends and remembers an answer.
func (p *Phone) respond(ctx context.Context, m *Message, response, method string, token Claims) (*Result, error) {
	answer, err := p.NewAnswer(ctx, m, response, method, token)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	m.Sent = answer
	return p.settle(ctx, m, answer)
}

// settle sends an answer and puts what the refusal says into message and phone.
func (p *Phone) settle(ctx context.Context, m *Message, answer *Answer) (*Result, error) {
	result, err := p.SendAnswer(ctx, answer)
	if e := Refused(err); e != nil {
		if e.Challenge != "" {
			m.Challenge = e.Challenge
		}
		if e.Remaining != nil {
			m.RemainingAttempts = e.Remaining
		}
		p.forgetIfGone(m.ProfileID, err)
	}
	return result, err
}

// NewAnswer signs an answer and encrypts it when extra holds a token. method is ignored for deny.
func (p *Phone) NewAnswer(ctx context.Context, m *Message, response, method string, token Claims) (*Answer, error) {
	claims, err := p.AnswerClaims(ctx, m, response, method)
	if err != nil {
		return nil, err
	}
	for name, value := range token {
		claims[name] = value
	}
	text, err := p.SignAnswer(m.ProfileID, claims)
	if err != nil {
		return nil, err
	}
	if len(token) > 0 {
		if text, err = p.EncryptAnswer(m.ProfileID, text); err != nil {
			return nil, err
		}
	}
	return &Answer{TransactionID: m.TransactionID, Version: max(m.AnswerVersion, 1), Text: text}, nil
}

// AnswerClaims returns the right claims of an answer without its token, so that a test can make some of them wrong.
func (p *Phone) AnswerClaims(ctx context.Context, m *Message, response, method string) (Claims, error) {
	claims, err := p.CommonClaims(ctx)
	if err != nil {
		return nil, err
	}
	claims["transaction_id"], claims["user"] = m.TransactionID, m.ProfileID
	claims["response"], claims["challenge"] = response, m.Challenge
	if response != "accept" {
		return claims, nil
	}
	claims["method"] = method
	if m.AnswerVersion < 2 {
		return claims, nil
	}
	e, err := p.enrolled(m.ProfileID)
	if err != nil {
		return nil, err
	}
	if claims["signature"], err = SignTransaction(e.Sign, m.TransactionID, m.SigningData); err != nil {
		return nil, err
	}
	return claims, nil
}

// EncryptAnswer encrypts a signed answer to the server's key of the enrollment.
func (p *Phone) EncryptAnswer(profileID, signed string) (string, error) {
	e, err := p.enrolled(profileID)
	if err != nil {
		return "", err
	}
	return Encrypt(e.ServerEnc, signed)
}

// Encrypt makes a compact JWE: ECDH-ES (direct) with A256GCM, cty JWT, kid of the recipient.
func Encrypt(to jose.JSONWebKey, signed string) (string, error) {
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: to.Key, KeyID: to.KeyID},
		(&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return "", fmt.Errorf("encrypt answer: %w", err)
	}
	object, err := encrypter.Encrypt([]byte(signed))
	if err != nil {
		return "", fmt.Errorf("encrypt answer: %w", err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("encrypt answer: %w", err)
	}
	return text, nil
}

// SendAnswer posts an answer to the endpoint of its version. Errors: *Error 9003, 9020, 9029, 10013 or none of the numbers.
func (p *Phone) SendAnswer(ctx context.Context, answer *Answer) (*Result, error) {
	var result Result
	err := p.call(ctx, familyTransaction, Request{
		Path: fmt.Sprintf("/mobile-auth/v%d/transactions/answer", answer.Version),
		JSON: map[string]any{"transaction_id": answer.TransactionID, "answer": answer.Text},
	}, &result)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return &result, nil
}

// SignedData is what the device signs for a transaction: never the signing data alone, so that no signature for one purpose
// can be used for another.
func SignedData(transactionID, signingData string) []byte {
	return []byte("ts-transaction-v1\x00" + strings.ToLower(transactionID) + "\x00" + signingData)
}

// SignTransaction returns the separate signature over SignedData: ECDSA P-256 with SHA-256, ASN.1 DER, standard base64.
func SignTransaction(key *Key, transactionID, signingData string) (string, error) {
	digest := sha256.Sum256(SignedData(transactionID, signingData))
	signature, err := ecdsa.SignASN1(rand.Reader, key.private, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign transaction: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}
