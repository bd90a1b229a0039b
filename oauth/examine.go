package oauth

import (
	"context"
	"errors"
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// examined is what became of a token that a gateway asks about.
type examined struct {
	store.AccessToken
	known  bool
	reason string // why a known token is not good any more; "" = it is good
	uses   int    // of a token with a usage limit: before this one
}

// about are the details of its event.
func (e *examined) about() []audit.Attr {
	attrs := []audit.Attr{
		audit.Client(e.ClientID), audit.User(e.UserID), audit.Profile(e.ProfileID), audit.App(e.Application, e.Platform, e.Version),
	}
	switch {
	case e.reason != "":
		attrs = append(attrs, audit.Reason(e.reason))
	case e.UsageLimit > 0:
		attrs = append(attrs, audit.Count("usage_count", e.uses))
	}
	return attrs
}

// examine looks a token up and, when it is good, counts the use. caller is the API client that asks, nil when a web client
// does.
func (h *Handler) examine(ctx context.Context, s *settings.Snapshot, bearer string, caller *settings.APIClient) (examined, error) {
	t, err := h.Tokens.Verify(ctx, bearer)
	e := examined{AccessToken: t, known: true}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return examined{}, nil
	case errors.Is(err, store.ErrExpired):
		e.reason = "expired"
	case errors.Is(err, store.ErrRevoked):
		e.reason = "revoked"
	case err != nil:
		return examined{}, err
	case caller != nil && !forGateway(s, &t, caller.ID):
		e.reason = "audience"
	default:
		e.reason = ended(s, &t)
	}
	if e.reason != "" {
		return e, nil
	}
	e.uses, err = h.Tokens.Use(ctx, t)
	if errors.Is(err, store.ErrRevoked) {
		e.reason = "used_up"
		return e, nil
	}
	return e, err
}

// ended tells why a token is not good any more although it is: "" = it is good. Its app version may have been disabled,
// or its client.
func ended(s *settings.Snapshot, t *store.AccessToken) string {
	if t.Application != "" {
		if !appgate.Usable(s.Version(t.Application, t.Platform, t.Version)) {
			return "version_disabled"
		}
		return ""
	}
	if w := s.WebClient(t.ClientID); w == nil || w.Disabled {
		return "client_disabled"
	}
	return ""
}

// forGateway tells whether a gateway may learn about a token: where the check is on, one that clients name as their resource
// gateway learns about the tokens that are meant for it, and about no other.
func forGateway(s *settings.Snapshot, t *store.AccessToken, gateway string) bool {
	if !s.Document.OAuth.IntrospectionAudience || slices.Contains(t.Audience, gateway) {
		return true
	}
	for i := range s.Document.Applications {
		if slices.Contains(s.Document.Applications[i].ResourceGateways, gateway) {
			return false
		}
	}
	for i := range s.Document.WebClients {
		if slices.Contains(s.Document.WebClients[i].ResourceGateways, gateway) {
			return false
		}
	}
	return true
}
