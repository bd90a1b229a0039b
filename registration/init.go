package registration

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/ocra"
	"tokenserver/internal/outcome"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

const (
	challengeLife   = 300 * time.Second
	identifierBytes = 16
	challengeBytes  = 32
)

// How an init fails. It succeeds with 200 and no event: nothing has happened yet.
var (
	tooManyInits = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many registrations from this address, try again in a minute"}
	initBadBody  = outcome.Failure{Code: outcome.InvalidRequest, Audit: audit.DynamicRegInvalidRequest, Text: "the body must be an empty JSON object"}
)

// handedOut is the challenge as the app sees it.
type handedOut struct {
	Identifier  string             `json:"identifier"`
	Challenge   string             `json:"challenge"`
	Suite       string             `json:"suite,omitempty"` // secret protocol only
	ServerTime  int64              `json:"server_time"`     // seconds since 1970
	ExpiresIn   int                `json:"expires_in"`      // seconds
	Attestation *attestationPolicy `json:"attestation,omitempty"`
}

// attestationPolicy tells which evidence the app must send about its key.
type attestationPolicy struct {
	Policy  string   `json:"policy"`
	Methods []string `json:"methods"`
}

func (h *Handler) initSecret(c echo.Context) error { return h.begin(c, appgate.SecretProtocol) }

func (h *Handler) initKey(c echo.Context) error { return h.begin(c, appgate.KeyProtocol) }

// begin hands out the challenge that the second step must answer.
func (h *Handler) begin(c echo.Context, protocol int) error {
	ctx := c.Request().Context()
	address := ratelimit.Network(audit.ClientIP(ctx))
	if h.Inits.Exceeded(address) {
		if n := h.Inits.Refused(address); n > 0 {
			h.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", "registration-init"), audit.Count("refusals", n))
		}
		return tooManyInits
	}
	h.Inits.Spend(ctx, address)
	app, err := h.enter(c, h.Settings.Current(), registering, protocol)
	if err != nil {
		return err
	}
	if err := bind(c, &struct{}{}, initBadBody); err != nil {
		return err
	}
	challenge := h.newChallenge(app)
	challenge.Purpose, challenge.APIVersion = store.ForRegistration, protocol
	if err := h.Challenges.AddRegistrationChallenge(ctx, challenge); err != nil {
		return fmt.Errorf("keep registration challenge: %w", err)
	}
	answer := h.handOut(challenge)
	if protocol == appgate.KeyProtocol {
		answer.Attestation = &attestationPolicy{Policy: "OFF", Methods: []string{}}
	}
	return web.JSON(c, http.StatusOK, answer)
}

func (h *Handler) newChallenge(app appgate.App) store.RegistrationChallenge {
	return store.RegistrationChallenge{
		Identifier:  hex.EncodeToString(secret.Bytes(identifierBytes)),
		Challenge:   hex.EncodeToString(secret.Bytes(challengeBytes)),
		Application: app.Application, Platform: app.Platform, Version: app.Version,
		ExpiresAt: h.Now().Add(challengeLife).UTC().Truncate(time.Millisecond),
	}
}

func (h *Handler) handOut(c store.RegistrationChallenge) handedOut {
	answer := handedOut{
		Identifier: c.Identifier, Challenge: c.Challenge,
		ServerTime: h.Now().Unix(), ExpiresIn: int(challengeLife / time.Second),
	}
	if c.APIVersion == appgate.SecretProtocol {
		answer.Suite = ocra.Registration
	}
	return answer
}
