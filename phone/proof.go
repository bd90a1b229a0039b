package phone

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Types of the JWS that a device signs for mobile authentication; each endpoint accepts only its own.
const (
	TypeEnroll  = "ma-enroll+jwt"
	TypeFetch   = "ma-fetch+jwt"
	TypeOTP     = "ma-otp+jwt"
	TypeAnswer  = "ma-answer+jwt"
	TypeMessage = "ma-message+jwt" // server to device
)

// CommonClaims are in every JWS of a device: audience, time, and a UUID that is used once.
func (p *Phone) CommonClaims(ctx context.Context) (Claims, error) {
	issuer, err := p.issuer(ctx)
	if err != nil {
		return nil, err
	}
	return Claims{"aud": issuer, "iat": p.options.Now().Unix(), "jti": uuid.NewString()}, nil
}

// NewProof makes a proof of possession of the enrollment key: CommonClaims and the given ones. Sending the identical text
// again is a repeat; a new proof is a new attempt.
func (p *Phone) NewProof(ctx context.Context, profileID, typ string, claims Claims) (string, error) {
	common, err := p.CommonClaims(ctx)
	if err != nil {
		return "", err
	}
	for name, value := range claims {
		common[name] = value
	}
	return p.SignProof(profileID, typ, common)
}

// SignProof signs exactly these claims with the enrollment key of the profile; kid is the enrollment id.
func (p *Phone) SignProof(profileID, typ string, claims Claims) (string, error) {
	e, err := p.enrolled(profileID)
	if err != nil {
		return "", err
	}
	return e.Sign.Sign(Claims{"typ": typ, "kid": e.ID}, claims)
}

// SignAnswer signs the claims of an answer. For tests that answer wrongly; see AnswerClaims for the right ones.
func (p *Phone) SignAnswer(profileID string, claims Claims) (string, error) {
	return p.SignProof(profileID, TypeAnswer, claims)
}

// EnrollmentID returns the id of the profile's enrollment. Error: *Error 9021, not enrolled.
func (p *Phone) EnrollmentID(profileID string) (string, error) {
	e, err := p.enrolled(profileID)
	if err != nil {
		return "", err
	}
	return e.ID, nil
}

// enrolled returns the acknowledged enrollment of a profile.
func (p *Phone) enrolled(profileID string) (*enrollment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := p.state.Profiles[profileID]
	if user == nil || user.Enrollment == nil {
		return nil, fmt.Errorf("profile: %w", local("not_enrolled", NumberNotEnrolled, "the profile is not enrolled for mobile authentication"))
	}
	return user.Enrollment, nil
}
