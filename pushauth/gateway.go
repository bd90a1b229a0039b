package pushauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// pushBudget is how long the portal waits for a push service, retries included.
const pushBudget = 5 * time.Second

// gateway hands pushes to one push service under one key.
type gateway interface {
	// send delivers one push within the context's time.
	send(ctx context.Context, n note) delivery
}

// note is one push message: what the app needs to fetch the rest. Nothing in it is secret.
type note struct {
	Token         string // of the device
	TransactionID string
	ProfileID     string
	Message       string
	SentAt        time.Time
	ExpiresAt     time.Time
	Badge         int    // APNs: number on the icon; 0 = not sent
	Topic         string // APNs: bundle identifier
	Cordova       bool   // FCM: keys for hybrid apps in the background
	Title         string // FCM, Cordova: name of the application
}

// timeToLive returns the seconds that the user has left.
func (n note) timeToLive() int64 { return int64(n.ExpiresAt.Sub(n.SentAt) / time.Second) }

// delivery is what a push service said. The zero value is no answer.
type delivery struct {
	Accepted bool
	Stale    bool   // the device token is dead
	Provider string // apns or fcm
	Status   int    // of HTTP; 0 = there was no answer
	Reason   string // the provider's word, or ours: unreachable, timeout, not_configured
}

// class sums a delivery up in one of a few words, for metrics.
func (d delivery) class() string {
	switch {
	case d.Accepted:
		return "accepted"
	case d.Stale:
		return "stale"
	case d.Status == 0:
		return d.Reason
	default:
		return "refused"
	}
}

// The reasons of ours.
const (
	notConfigured = "not_configured"
	unreached     = "unreachable"
	timedOut      = "timeout"
)

// PusherConfig says where the push services are. The zero value is Apple and Google.
type PusherConfig struct {
	APNsProduction  string                                           // base URL
	APNsDevelopment string                                           // base URL
	APNsRoots       *x509.CertPool                                   // nil = those of the system
	FCMEndpoint     string                                           // base URL, /v1 included
	AllowPrivate    []netip.Prefix                                   // addresses inside that push services may have
	Budget          time.Duration                                    // of one message, retries included; 0 = 5 s
	Wait            func(ctx context.Context, d time.Duration) error // between tries; nil = the clock
	Observe         func(gateway, result string, elapsed time.Duration)
}

// Pusher sends push messages through APNs and FCM. It keeps one gateway, and so one connection pool and one provider
// token, for each key. Make it with NewPusher; safe for concurrent use.
type Pusher struct {
	config PusherConfig
	keys   *secret.Keys
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	gateways map[gatewayKey]gateway
}

// gatewayKey tells gateways apart: a changed key of a push configuration makes a new gateway.
type gatewayKey struct {
	configuration string
	key           [sha256.Size]byte
	host          string
}

// NewPusher returns a Pusher.
func NewPusher(config PusherConfig, keys *secret.Keys, log *slog.Logger, now func() time.Time) *Pusher {
	if config.Wait == nil {
		config.Wait = wait
	}
	if config.Budget == 0 {
		config.Budget = pushBudget
	}
	if config.Observe == nil {
		config.Observe = func(string, string, time.Duration) {}
	}
	return &Pusher{config: config, keys: keys, now: now, log: log, gateways: make(map[gatewayKey]gateway)}
}

// Send pushes a transaction to the device of its enrollment. open is how many transactions the installation has open.
func (p *Pusher) Send(ctx context.Context, s *settings.Snapshot, t store.Transaction, e store.Enrollment, version *settings.AppVersion, open int) delivery {
	token, err := p.keys.Open(e.PushToken, e.PushTokenPlace())
	if err != nil {
		p.log.ErrorContext(ctx, "push token does not open", "enrollment", e.ID, "error", err)
		return delivery{Reason: notConfigured}
	}
	n := note{
		Token: string(token), TransactionID: t.ID, ProfileID: t.ProfileID, Message: t.Message,
		SentAt: p.now(), ExpiresAt: t.ExpiresAt, Topic: version.BundleIdentifier, Cordova: version.Framework == "CORDOVA",
	}
	if version.SendBadgeNumber {
		n.Badge = open
	}
	if a := s.Application(t.Application); a != nil {
		n.Title = a.Name
	}
	g, err := p.gateway(ctx, s.PushConfiguration(version.PushConfiguration), version)
	if err != nil {
		p.log.WarnContext(ctx, "push gateway not usable", "application", t.Application, "error", err)
		return delivery{Provider: provider(version.Platform), Reason: notConfigured}
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Budget)
	defer cancel()
	start := p.now()
	d := g.send(ctx, n)
	d.Provider = provider(version.Platform)
	if !d.Accepted {
		fingerprint := sha256.Sum256(token)
		p.log.WarnContext(ctx, "push not accepted", "provider", d.Provider, "status", d.Status, "reason", d.Reason,
			"push_token", hex.EncodeToString(fingerprint[:4]))
	}
	p.config.Observe(d.Provider, d.class(), p.now().Sub(start))
	return d
}

func provider(platform string) string {
	if platform == "ios" {
		return "apns"
	}
	return "fcm"
}

// gateway returns the gateway of a push configuration, made at its first use.
func (p *Pusher) gateway(ctx context.Context, c *settings.PushConfiguration, version *settings.AppVersion) (gateway, error) {
	if c == nil || c.Platform != version.Platform {
		return nil, errors.New("the version has no push configuration of its platform")
	}
	key := gatewayKey{configuration: c.ID, host: p.config.FCMEndpoint, key: sha256.Sum256([]byte(c.ServiceAccount.Reveal()))}
	if c.Platform == "ios" {
		key.host = p.config.apnsHost(version.APNsDevelopment)
		key.key = sha256.Sum256([]byte(c.TeamID + "\x00" + c.KeyID + "\x00" + c.SigningKey.Reveal()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.gateways[key]; g != nil {
		return g, nil
	}
	var g gateway
	var err error
	if c.Platform == "ios" {
		g, err = newAPNs(p.config, key.host, c)
	} else {
		g, err = newFCM(ctx, p.config, c)
	}
	if err != nil {
		return nil, err
	}
	p.gateways[key] = g
	return g, nil
}

// wait lasts for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unanswered tells why there is no answer from a push service.
func unanswered(ctx context.Context) delivery {
	if ctx.Err() != nil {
		return delivery{Reason: timedOut}
	}
	return delivery{Reason: unreached}
}
