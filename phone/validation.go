package phone

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Results of Validate.
const (
	Valid           = "VALID"
	UpgradeRequired = "UPGRADE_REQUIRED"
)

// Validation is the answer to the check at app start.
type Validation struct {
	Status        string        `json:"status"` // Valid or UpgradeRequired
	Configuration Configuration `json:"configuration"`
	Profiles      []string      `json:"profiles"`    // those the server still knows
	Removed       []string      `json:"-"`           // local profiles that the server no longer knows; gone from the phone now
	ServerTime    int64         `json:"server_time"` // seconds since the epoch
	Identifier    string        `json:"identifier"`  // of the upgrade that is due
	Challenge     string        `json:"challenge"`   // of the upgrade that is due
	Suite         string        `json:"suite"`       // of the upgrade that is due, API version 1
}

// Validate is called at each start of the app before anything else. It says whether the registration is still good, refreshes
// the configuration and removes local profiles that the server no longer knows. When the server knows the installation no more
// (401 invalid_client, 9002) everything local is wiped, and the app registers anew.
func (p *Phone) Validate(ctx context.Context) (*Validation, error) {
	if _, err := p.issuer(ctx); err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	v, err := p.validate(ctx)
	if err != nil {
		if e := Refused(err); e != nil && e.Status == http.StatusUnauthorized && e.Code == "invalid_client" {
			p.change((*state).wipe)
		}
		return nil, fmt.Errorf("validate: %w", err)
	}
	if v.Status != Valid {
		return v, nil
	}
	p.change(func(s *state) {
		s.Configuration = v.Configuration
		for id := range s.Profiles {
			if !slices.Contains(v.Profiles, id) {
				v.Removed = append(v.Removed, id)
				delete(s.Profiles, id)
			}
		}
	})
	slices.Sort(v.Removed)
	return v, nil
}

// validate sends the check and changes nothing.
func (p *Phone) validate(ctx context.Context) (*Validation, error) {
	var v Validation
	err := p.call(ctx, familyRegistration, Request{
		Path: p.versioned("/client/validation"), JSON: map[string]any{}, ClientAuth: true,
	}, &v)
	return &v, err
}

// versioned is the path of an endpoint that exists once for secrets and once for keys. It follows the registered
// credential: until an upgrade has succeeded, an installation with a secret stays one.
func (p *Phone) versioned(path string) string {
	if p.snapshot().ClientKey == nil {
		return "/v1" + path
	}
	return "/v2" + path
}

// RenameDevice gives the installation another name; at most 100 code points.
func (p *Phone) RenameDevice(ctx context.Context, name string) error {
	if _, err := p.issuer(ctx); err != nil {
		return fmt.Errorf("rename device: %w", err)
	}
	err := p.call(ctx, familyRegistration, Request{
		Method: http.MethodPut, Path: "/v1/client/device-name", JSON: map[string]any{"device_name": name}, ClientAuth: true,
	}, nil)
	if err != nil {
		return fmt.Errorf("rename device: %w", err)
	}
	return nil
}
