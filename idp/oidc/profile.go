package oidc

import (
	"context"
	"fmt"
	"net/http"
)

// Profile asks who the user is: the userinfo endpoint of an OpenID provider (OpenID Connect Core §5.3), or the profile URL of
// an OAuth server, which is called with POST. Errors: *Refusal.
func (c *Client) Profile(ctx context.Context, p Provider, m Metadata, accessToken string) (map[string]any, error) {
	method := http.MethodPost
	if p.OpenID() {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, m.Profile, nil)
	if err != nil {
		return nil, refuseBecause("profile address is no URL", err)
	}
	request.Header.Set("Authorization", "Bearer "+accessToken)
	members, status, err := c.call(request)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	code := Code(text(members, "error"))
	if status != http.StatusOK || code != "" && !p.OpenID() {
		return nil, &Refusal{Reason: "profile refused", Status: status, Code: code}
	}
	return members, nil
}
