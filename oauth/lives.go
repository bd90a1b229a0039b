package oauth

import (
	"slices"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
)

// How long tokens live, seconds, when the client's settings do not say.
const (
	usualAccessLife  = 900
	usualIDTokenLife = 3600
	shortestLife     = 30
	longestLife      = 24 * 60 * 60
)

// baseGrant fills in what the client's settings and the scopes decide about tokens: lives, format, audiences, usage
// limit, and the app for an installation.
func baseGrant(s *settings.Snapshot, c clientauth.Client, scopes []string) token.Grant {
	g := token.Grant{ClientID: c.ID, Scopes: scopes, UsageLimit: usageLimit(s, scopes)}
	switch {
	case c.Installation != nil:
		a := c.Application
		g.Application, g.Platform, g.Version = a.ID, c.Installation.Platform, c.Installation.Version
		g.Audience = audienceOf(s, a.ResourceGateways, a.AdditionalAudiences)
		g.Format = a.AccessTokenFormat
		g.AccessLife = life(a.AccessTokenExpiresIn, usualAccessLife)
		g.IDTokenLife = life(a.IDTokenExpiresIn, usualIDTokenLife)
		g.FamilyLife = unlimited(a.RegistrationValidity)
		g.Refresh = a.UsesPIN()
	case c.Web != nil:
		w := c.Web
		g.ProfileID = token.StaticProfile
		g.Audience, g.IDAudience = audienceOf(s, w.ResourceGateways, w.AdditionalAudiences), w.OpenIDConnect.AdditionalAudiences
		g.Format = w.AccessTokenFormat
		g.AccessLife = life(w.AccessTokenExpiresIn, usualAccessLife)
		g.IDTokenLife = life(w.IDTokenExpiresIn, usualIDTokenLife)
		g.RefreshLife = unlimited(w.RefreshTokenExpiresIn)
		g.FamilyLife = unlimited(w.MaxRefreshValidity)
		g.Refresh = w.RefreshTokenEnabled
		g.Encryption = encryptionOf(c)
		g.Sessions = w.Sessions()
	}
	return g
}

// encryptionOf tells how the ID tokens of a client are encrypted; nil = they are not.
func encryptionOf(c clientauth.Client) *token.Encryption {
	if c.Web == nil || !c.Web.OpenIDConnect.IDTokenEncryption.Enabled {
		return nil
	}
	e := c.Web.OpenIDConnect.IDTokenEncryption
	return &token.Encryption{JWKSURI: e.JWKSURI, Method: e.Method}
}

// noIDToken is the failure for an error that is token.ErrIDToken.
func noIDToken(err error) outcome.Failure {
	return idTokenFailed.Because(err).About(audit.Reason(token.IDTokenReason(err)))
}

// audienceOf is the audience of access tokens: the resource gateways, then whoever else is configured, each once.
func audienceOf(s *settings.Snapshot, gateways, additional []string) []string {
	general := s.Document.OAuth.AdditionalTokenAudience
	if len(gateways) == 0 && len(general) == 0 {
		return additional
	}
	var list []string
	for _, names := range [...][]string{gateways, additional, general} {
		for _, name := range names {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// life is a configured number of seconds within its limits; 0 = the usual one.
func life(configured, usual int) time.Duration {
	if configured <= 0 {
		configured = usual
	}
	return time.Duration(min(max(configured, shortestLife), longestLife)) * time.Second
}

// unlimited is a configured number of seconds; 0 = no limit.
func unlimited(configured int) time.Duration { return time.Duration(max(configured, 0)) * time.Second }

// usageLimit is the lowest limit of the scopes; 0 = none has one.
func usageLimit(s *settings.Snapshot, scopes []string) int {
	lowest := 0
	for _, id := range scopes {
		if scope := s.Scope(id); scope != nil && scope.UsageLimit > 0 && (lowest == 0 || scope.UsageLimit < lowest) {
			lowest = scope.UsageLimit
		}
	}
	return lowest
}
