package phone

import (
	"context"
	"fmt"
	"time"
)

// statementLife is the life of a client statement; servers accept at most ten minutes.
const statementLife = 5 * time.Minute

// challenge is what the server hands out before a registration or an upgrade.
type challenge struct {
	Identifier string `json:"identifier"`
	Challenge  string `json:"challenge"`
	Suite      string `json:"suite"` // API version 1 only
	ServerTime int64  `json:"server_time"`
}

// registered is the answer to a completed registration or upgrade.
type registered struct {
	ClientID      string        `json:"client_id"`
	ClientSecret  string        `json:"client_secret"`
	KeyID         string        `json:"kid"`
	Configuration Configuration `json:"configuration"`
}

// Register makes this copy of the app an OAuth client of its own: by challenge and response (API version 1) or with a key of
// its own and a signed client statement (API version 2). A former registration is forgotten on success.
// deviceName may be empty; the server then makes one up.
func (p *Phone) Register(ctx context.Context, deviceName string) error {
	if _, err := p.issuer(ctx); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	var err error
	if p.App().APIVersion == APISecret {
		err = p.registerWithSecret(ctx, deviceName)
	} else {
		err = p.registerWithKey(ctx, deviceName)
	}
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return nil
}

// registerWithSecret proves the signature of the running binary with an OCRA response over the phone's own clock.
func (p *Phone) registerWithSecret(ctx context.Context, deviceName string) error {
	var c challenge
	if err := p.call(ctx, familyRegistration, Request{Path: "/v1/client/registration/init", JSON: map[string]any{}}, &c); err != nil {
		return err
	}
	now := p.options.Now()
	response, err := OCRA(c.suite(), SignatureKey(p.App().Signature), c.Challenge, now)
	if err != nil {
		return err
	}
	body := map[string]any{"identifier": c.Identifier, "response": response, "timestamp": now.Unix()}
	if deviceName != "" {
		body["device_name"] = deviceName
	}
	var done registered
	if err := p.call(ctx, familyRegistration, Request{Path: "/v1/client/registration/complete", JSON: body}, &done); err != nil {
		return err
	}
	p.change(func(s *state) {
		s.wipe()
		s.ClientID, s.ClientSecret, s.Configuration = done.ClientID, done.ClientSecret, done.Configuration
	})
	return nil
}

// registerWithKey makes the client key and sends the statement signed with it.
func (p *Phone) registerWithKey(ctx context.Context, deviceName string) error {
	var c challenge
	if err := p.call(ctx, familyRegistration, Request{Path: "/v2/client/registration/init", JSON: map[string]any{}}, &c); err != nil {
		return err
	}
	key, err := NewKey()
	if err != nil {
		return err
	}
	body, err := p.statementBody(ctx, p.App(), key, c)
	if err != nil {
		return err
	}
	if deviceName != "" {
		body["device_name"] = deviceName
	}
	var done registered
	if err := p.call(ctx, familyRegistration, Request{Path: "/v2/client/registration", JSON: body}, &done); err != nil {
		return err
	}
	p.change(func(s *state) {
		s.wipe()
		s.ClientID, s.ClientKey, s.KeyID, s.Configuration = done.ClientID, key, done.KeyID, done.Configuration
	})
	return nil
}

// statementBody builds the members that registration and upgrade of API version 2 share.
func (p *Phone) statementBody(ctx context.Context, app App, key *Key, c challenge) (map[string]any, error) {
	claims, err := p.statementClaims(ctx, app, key, c)
	if err != nil {
		return nil, err
	}
	statement, err := SignStatement(key, claims)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"identifier": c.Identifier, "client_statement": statement}
	if app.SoftwareStatement != "" {
		body["software_statement"] = app.SoftwareStatement
	}
	if p.options.Attest != nil {
		thumbprint, err := key.Thumbprint()
		if err != nil {
			return nil, err
		}
		evidence, err := p.options.Attest(ctx, Attestation{Identifier: c.Identifier, Challenge: c.Challenge, Thumbprint: thumbprint})
		if err != nil {
			return nil, fmt.Errorf("attest: %w", err)
		}
		body["attestations"] = evidence
	}
	return body, nil
}

// StatementClaims returns the claims of a client statement for this app, so that a test can change some of them.
func (p *Phone) StatementClaims(ctx context.Context, key *Key, identifier, serverChallenge string) (Claims, error) {
	return p.statementClaims(ctx, p.App(), key, challenge{Identifier: identifier, Challenge: serverChallenge})
}

func (p *Phone) statementClaims(ctx context.Context, app App, key *Key, c challenge) (Claims, error) {
	issuer, err := p.issuer(ctx)
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.Thumbprint()
	if err != nil {
		return nil, err
	}
	now := p.options.Now()
	security := app.SecurityState
	if security == nil {
		security = []string{}
	}
	return Claims{
		"iss": app.Identifier, "sub": thumbprint, "aud": issuer,
		"iat": now.Unix(), "exp": now.Add(statementLife).Unix(), "jti": randomText(16),
		"identifier": c.Identifier, "challenge": c.Challenge,
		"app":            Claims{"identifier": app.Identifier, "platform": app.Platform, "version": app.Version},
		"device":         Claims{"os_version": app.OSVersion, "model": app.Model, "sdk_version": app.SDKVersion},
		"app_signature":  app.Signature,
		"security_state": security,
	}, nil
}

// SignStatement signs a client statement; its header carries the public key itself.
func SignStatement(key *Key, claims Claims) (string, error) {
	return key.Sign(Claims{"typ": "client-statement+jwt", "jwk": key.JWK("")}, claims)
}

// suite is the one the server named, else the one this protocol fixes.
func (c challenge) suite() string {
	if c.Suite != "" {
		return c.Suite
	}
	return RegistrationSuite
}
