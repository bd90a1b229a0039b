package sessions

import (
	"context"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

// TokenPolicy says which tokens end with their session.
type TokenPolicy int

// The policies.
const (
	KeepTokens       TokenPolicy = iota
	TokensAsClients              // those of the clients whose settings say so: a logout
	TokensNotRenewed             // those of web clients that get no refresh tokens: a logout by the identity provider
	AllTokens
)

// Ended is what went with a session.
type Ended struct {
	Families     int      // refresh token families
	TokenClients []string // clients whose tokens have ended; with AllTokens every client of the session
}

// End ends a session in the transaction of ctx: the durable mark, its tokens by policy, and a job for each client that is
// told through the back channel. Redis follows after the commit. The caller records the event.
func (s *Service) End(ctx context.Context, b store.BrowserSession, policy TokenPolicy) (Ended, error) {
	var out Ended
	if err := s.Marks.SignOut(ctx, b.ID, b.EndsAt); err != nil {
		return out, fmt.Errorf("end session: %w", err)
	}
	if policy == AllTokens {
		var err error
		if out.Families, err = s.Tokens.RevokeSession(ctx, b.ID); err != nil {
			return out, fmt.Errorf("end tokens of session: %w", err)
		}
		out.TokenClients = b.Clients
	}
	told := false
	for _, id := range b.Clients {
		client := s.Settings.Current().WebClient(id)
		if client == nil {
			continue
		}
		if policy == TokensAsClients && client.DeletesTokensOnLogout() || policy == TokensNotRenewed && !client.RefreshTokenEnabled {
			n, err := s.Tokens.RevokeSessionOf(ctx, b.ID, id)
			if err != nil {
				return out, fmt.Errorf("end tokens of session: %w", err)
			}
			out.Families += n
			out.TokenClients = append(out.TokenClients, id)
		}
		if client.OpenIDConnect.BackChannelLogoutURL != "" {
			if err := s.addNotice(ctx, b, id); err != nil {
				return out, err
			}
			told = true
		}
	}
	store.AfterCommit(ctx, func(ctx context.Context) {
		_ = s.Store.EndSession(ctx, b) // the mark decides; the record ends by itself
		if told {
			s.Wake(BackChannelJob)
		}
	})
	return out, nil
}

// EndWhere ends those sessions of a user that match, in the transaction of ctx, and returns them.
func (s *Service) EndWhere(
	ctx context.Context, userID string, match func(store.BrowserSession) bool, policy TokenPolicy,
) (ended []store.BrowserSession, families int, err error) {
	live, err := s.Of(ctx, userID)
	if err != nil {
		return nil, 0, err
	}
	for _, b := range live {
		if !match(b) {
			continue
		}
		out, err := s.End(ctx, b, policy)
		if err != nil {
			return ended, families, err
		}
		ended, families = append(ended, b), families+out.Families
	}
	return ended, families, nil
}

// addNotice writes the job that tells one client, in the transaction of ctx.
func (s *Service) addNotice(ctx context.Context, b store.BrowserSession, clientID string) error {
	payload, err := json.Marshal(notice{ClientID: clientID, UserID: b.UserID, SessionID: b.ID})
	if err != nil {
		return fmt.Errorf("encode logout notice: %w", err)
	}
	now := s.Now()
	err = s.Jobs.AddJob(ctx, store.Job{ID: s.NewID(), Kind: BackChannelJob, Payload: payload, NotBefore: now, CreatedAt: now})
	if err != nil {
		return fmt.Errorf("add logout notice: %w", err)
	}
	return nil
}
