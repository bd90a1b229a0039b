package phone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// issuer returns the issuer of the server, which is the audience of everything this phone signs. It comes from discovery once
// and is kept: behind a proxy the base URL of the requests and the issuer may differ.
func (p *Phone) issuer(ctx context.Context) (string, error) {
	s := p.snapshot()
	if s.Issuer != "" {
		return s.Issuer, nil
	}
	response, err := p.send(ctx, s.App, Request{Method: http.MethodGet, Path: "/.well-known/openid-configuration"})
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	var document struct {
		Issuer     string `json:"issuer"`
		IssInReply bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := response.decode("", &document); err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	if document.Issuer == "" {
		return "", errors.New("discovery: document names no issuer")
	}
	p.change(func(s *state) { s.Issuer, s.IssInRedirect = document.Issuer, document.IssInReply })
	return document.Issuer, nil
}

// Issuer returns the issuer that discovery names.
func (p *Phone) Issuer(ctx context.Context) (string, error) { return p.issuer(ctx) }
