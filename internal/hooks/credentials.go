package hooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tokenserver/internal/settings"
)

// The client that the JWT of a hook names, and the typ that no other JWT of this server has.
const (
	hookClient = "tokenserverWebHookClient"
	passType   = "webhook+jwt"
)

const (
	passLife  = 15 * time.Minute
	passSpare = 5 * time.Minute // of life that a JWT has at least when it is sent
)

const secretPrefix = "whsec_" // Standard Webhooks

// passKey is what a JWT was made for.
type passKey struct{ hook, audience string }

// pass is a JWT that is used for several requests.
type pass struct {
	text    string
	expires time.Time
}

// passClaims are the claims of a hook's JWT.
type passClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Client    string `json:"cid"`
	Audience  string `json:"aud"` // the base address of the hook
	IssuedAt  int64  `json:"iat"`
	ExpiresAt int64  `json:"exp"`
	ID        string `json:"jti"`
	Scope     string `json:"scope"`
}

// prove sets the headers by which a hook knows that this server asks.
func (s *Service) prove(ctx context.Context, h *settings.WebHook, request *http.Request, body []byte) error {
	id, stamp := s.NewID(), strconv.FormatInt(s.Now().Unix(), 10)
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", stamp)
	if !h.SigningSecret.Empty() {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.SigningSecret.Reveal(), secretPrefix))
		if err != nil {
			return errors.New("the signing secret is not base64") // without the secret
		}
		m := hmac.New(sha256.New, key)
		_, _ = m.Write([]byte(id + "." + stamp + ".")) // a hash never fails
		_, _ = m.Write(body)
		request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	switch h.Authentication {
	case settings.HookNone:
		return nil
	case settings.HookBasic:
		request.SetBasicAuth(h.Username, h.Password.Reveal())
		return nil
	case settings.HookJWT, "": // the default
	}
	text, err := s.pass(ctx, h)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+text)
	return nil
}

// pass returns the JWT for a hook. It is signed with a key that the JWK set shows.
func (s *Service) pass(ctx context.Context, h *settings.WebHook) (string, error) {
	key, now := passKey{h.ID, h.BaseURI}, s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, kept := s.passes[key]; kept && now.Add(passSpare).Before(p.expires) {
		return p.text, nil
	}
	expires := now.Add(passLife)
	text, err := s.Sign.Sign(ctx, passType, passClaims{
		Issuer: s.Issuer, Subject: hookClient, Client: hookClient, Audience: h.BaseURI, IssuedAt: now.Unix(), ExpiresAt: expires.Unix(),
		ID: s.NewID(), Scope: "tokenserver_webhooks tokenserver_webhook_" + strings.ReplaceAll(strings.ToLower(h.ID), " ", "_"),
	})
	if err != nil {
		return "", fmt.Errorf("sign JWT for web hook: %w", err)
	}
	if s.passes == nil {
		s.passes = map[passKey]pass{}
	}
	for old, p := range s.passes { // hooks that are no longer there
		if !now.Before(p.expires) {
			delete(s.passes, old)
		}
	}
	s.passes[key] = pass{text, expires}
	return text, nil
}
