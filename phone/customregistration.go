package phone

import (
	"context"
	"fmt"
	"slices"
)

// grantStateless asks for a token without a registration.
const grantStateless = "urn:onewelcome:oauth2:grant_type:stateless_authentication"

// Statuses of two-way OTP. Those of other providers are the operator's own, in the same ranges.
const (
	StatusWrongCode = 4001 // the response code is wrong: ask for it again
	StatusNoCode    = 4002 // the client code has not been typed in at the portal yet
)

// CustomStep is what an identity provider that is reached by API says to one step.
type CustomStep struct {
	TransactionID string `json:"transaction_id"` // of the first step, when the status is a success
	Status        int    `json:"status"`
	Data          string `json:"data"` // for the app, in a form that it and the provider have agreed on
}

// Accepted says that the registration goes on.
func (s CustomStep) Accepted() bool { return s.Status >= 2000 && s.Status < 3000 }

// Again says that the user may try again.
func (s CustomStep) Again() bool { return s.Status >= 4000 && s.Status < 5000 }

// Over says that the registration must start anew.
func (s CustomStep) Over() bool { return s.Status >= 5000 && s.Status < 6000 }

// CustomRegistration is the last step of a registration by API.
type CustomRegistration struct {
	Provider      string // id of the identity provider; see Configuration.IdentityProviders
	TransactionID string // of the first step; empty with a provider of one step
	Data          string // what the user typed, scanned or said
	Scopes        []string
	Params        map[string][]string // for the operator's web hooks
	ProfileID     string              // NewProfileID; empty with Stateless
	PIN           string              // the new PIN of the user; empty with Stateless
	Stateless     bool                // a token and nothing else: no user is kept on the phone
}

// BeginCustomRegistration runs the first step of a provider of two steps. Of a provider of type TWO_WAY_OTP_API Data is the client
// code that the user types in at the portal. The answer may be no success; errors: *Error.
func (p *Phone) BeginCustomRegistration(ctx context.Context, provider, data string) (*CustomStep, error) {
	body := map[string]any{}
	if data != "" {
		body["data"] = data
	}
	var step CustomStep
	if err := p.customStep(ctx, provider, "init", body, &step); err != nil {
		return nil, fmt.Errorf("begin custom registration: %w", err)
	}
	return &step, nil
}

// CompleteCustomRegistration runs the last step. When the provider accepts the user there are tokens, and the refresh token is kept
// under the PIN; else there are none, and the step says how to go on. Errors: *Error 9011 to 9014 for the PIN, the word of the
// server otherwise.
func (p *Phone) CompleteCustomRegistration(ctx context.Context, r CustomRegistration) (*CustomStep, *Tokens, error) {
	if !r.Stateless {
		if err := CheckPIN(p.Configuration().PINPolicy, r.PIN); err != nil {
			return nil, nil, fmt.Errorf("complete custom registration: %w", err)
		}
	}
	var done struct {
		CustomStep
		Token *TokenAnswer `json:"oauth_token"`
	}
	if err := p.customStep(ctx, r.Provider, "complete", r.body(), &done); err != nil {
		return nil, nil, fmt.Errorf("complete custom registration: %w", err)
	}
	if done.Token == nil {
		return &done.CustomStep, nil, nil
	}
	answer := done.Token
	answer.ProfileID = r.ProfileID
	if slices.Contains(r.Scopes, "openid") {
		if err := p.checkIDToken(ctx, answer.IDToken, ""); err != nil {
			return nil, nil, fmt.Errorf("complete custom registration: %w", err)
		}
	}
	if r.Stateless {
		return &done.CustomStep, p.kept(answer), nil
	}
	tokens, err := p.keep(r.ProfileID, r.PIN, answer, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("complete custom registration: %w", err)
	}
	return &done.CustomStep, tokens, nil
}

// body is what is sent; what is empty is left out.
func (r CustomRegistration) body() map[string]any {
	body := map[string]any{}
	for name, text := range map[string]string{"data": r.Data, "transaction_id": r.TransactionID, "profile_id": r.ProfileID} {
		if text != "" {
			body[name] = text
		}
	}
	if len(r.Scopes) > 0 {
		body["scope"] = r.Scopes
	}
	if len(r.Params) > 0 {
		body["hook_context_custom_params"] = r.Params
	}
	if r.Stateless {
		body["grant_type"] = grantStateless
	}
	return body
}

// customStep sends one step in the version of this installation: with Basic authentication, or with an assertion in the body.
func (p *Phone) customStep(ctx context.Context, provider, step string, body map[string]any, out any) error {
	if _, err := p.issuer(ctx); err != nil {
		return err
	}
	path := "/custom-registration/" + provider + "/" + step
	if p.snapshot().ClientKey != nil {
		path = "/v2" + path
	}
	return p.call(ctx, familyToken, Request{Path: path, JSON: body, ClientAuth: true}, out)
}
