package phone

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Upgrade installs another build and moves the registration to it: validation with the new headers says whether a proof is
// due; if it is, the proof is sent. On failure the former build is put back, as the server keeps the client on it, too.
// client_id, profiles, tokens and enrollments survive.
func (p *Phone) Upgrade(ctx context.Context, to Release) error {
	before := p.App()
	p.Install(to)
	err := p.upgrade(ctx, before)
	if err != nil {
		p.change(func(s *state) { s.App = before })
		return fmt.Errorf("upgrade: %w", err)
	}
	return nil
}

func (p *Phone) upgrade(ctx context.Context, before App) error {
	if _, err := p.issuer(ctx); err != nil {
		return err
	}
	if p.App().APIVersion != before.APIVersion { // the check itself still runs under the registered protocol version
		p.change(func(s *state) { s.App.APIVersion = before.APIVersion })
		v, err := p.validate(ctx)
		p.change(func(s *state) { s.App.APIVersion = APIKey })
		if err != nil {
			return err
		}
		return p.upgradeToKey(ctx, v.due())
	}
	v, err := p.Validate(ctx)
	if err != nil || v.Status != UpgradeRequired {
		return err
	}
	if p.snapshot().ClientKey == nil {
		return p.upgradeSecret(ctx, v.due())
	}
	return p.upgradeKey(ctx, v.due())
}

// due is the challenge that validation handed out.
func (v *Validation) due() challenge {
	return challenge{Identifier: v.Identifier, Challenge: v.Challenge, Suite: v.Suite}
}

// upgradeSecret proves the new signature and the old secret in one response; the answer brings a new secret.
func (p *Phone) upgradeSecret(ctx context.Context, c challenge) error {
	s := p.snapshot()
	response, err := OCRA(c.suite(), UpgradeKey(s.App.Signature, s.ClientSecret), c.Challenge, p.options.Now())
	if err != nil {
		return err
	}
	var done registered
	err = p.call(ctx, familyRegistration, Request{
		Path: "/v1/client/upgrade", JSON: map[string]any{"identifier": c.Identifier, "response": strings.ToLower(response)},
		ClientAuth: true,
	}, &done)
	if err != nil {
		return err
	}
	p.change(func(s *state) { s.ClientSecret, s.Configuration = done.ClientSecret, done.Configuration })
	return nil
}

// upgradeKey signs a statement for the new build with the key that is registered already.
func (p *Phone) upgradeKey(ctx context.Context, c challenge) error {
	s := p.snapshot()
	body, err := p.statementBody(ctx, s.App, s.ClientKey, c)
	if err != nil {
		return err
	}
	var done registered
	if err := p.call(ctx, familyRegistration, Request{Path: "/v2/client/upgrade", JSON: body, ClientAuth: true}, &done); err != nil {
		return err
	}
	p.change(func(s *state) { s.Configuration = done.Configuration })
	return nil
}

// upgradeToKey moves an installation from the secret protocol to the key protocol: Basic authentication for the last time,
// and a statement that holds a new key. Afterwards the secret is void.
func (p *Phone) upgradeToKey(ctx context.Context, c challenge) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	s := p.snapshot()
	body, err := p.statementBody(ctx, s.App, key, c)
	if err != nil {
		return err
	}
	header := make(http.Header)
	header.Set("Authorization", basic(s.ClientID, s.secretOnTheWire()))
	var done registered
	if err := p.call(ctx, familyRegistration, Request{Path: "/v2/client/upgrade", JSON: body, Header: header}, &done); err != nil {
		return err
	}
	kid := done.KeyID
	if kid == "" {
		if kid, err = key.Thumbprint(); err != nil {
			return err
		}
	}
	p.change(func(s *state) {
		s.ClientKey, s.KeyID, s.ClientSecret, s.Configuration = key, kid, "", done.Configuration
	})
	return nil
}
