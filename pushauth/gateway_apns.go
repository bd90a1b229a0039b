package pushauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"

	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

// apnsHost returns the base URL of the production or the development environment.
func (c PusherConfig) apnsHost(development bool) string {
	host, configured := apns2.HostProduction, c.APNsProduction
	if development {
		host, configured = apns2.HostDevelopment, c.APNsDevelopment
	}
	if configured != "" {
		return configured
	}
	return host
}

// apnsWaits are the pauses before another try.
var apnsWaits = [...]time.Duration{200 * time.Millisecond, time.Second}

// apns is Apple's push service under one token signing key.
type apns struct {
	client *apns2.Client
	wait   func(context.Context, time.Duration) error
}

// newAPNs makes the gateway of a push configuration. The library keeps the provider token and renews it; the client
// keeps the connections.
func newAPNs(config PusherConfig, host string, c *settings.PushConfiguration) (gateway, error) {
	key, err := token.AuthKeyFromBytes([]byte(c.SigningKey.Reveal()))
	if err != nil {
		return nil, errors.New("the APNs signing key is not usable") // the library's error may quote the key
	}
	client := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: c.KeyID, TeamID: c.TeamID})
	client.Host = host
	client.HTTPClient = outbound.New(outbound.Config{
		Timeout: pushBudget, RootCAs: config.APNsRoots, AllowPrivate: config.AllowPrivate,
	})
	return apns{client: client, wait: config.Wait}, nil
}

// apnsPayload is the JSON that the app gets.
type apnsPayload struct {
	APS           apnsAPS `json:"aps"`
	TransactionID string  `json:"og_transaction_id"`
	ProfileID     string  `json:"og_profile_id"`
	Message       string  `json:"og_message"`
	Timestamp     int64   `json:"og_timestamp"`    // sent at, milliseconds
	TimeToLive    int64   `json:"og_time_to_live"` // seconds left
}

type apnsAPS struct {
	Alert struct {
		Body string `json:"body"`
	} `json:"alert"`
	Sound string `json:"sound"`
	Badge int    `json:"badge,omitempty"`
}

// notification builds what is sent to Apple.
func (n note) notification() (*apns2.Notification, error) {
	payload := apnsPayload{
		TransactionID: n.TransactionID, ProfileID: n.ProfileID, Message: n.Message,
		Timestamp: n.SentAt.UnixMilli(), TimeToLive: n.timeToLive(),
		APS: apnsAPS{Sound: "default", Badge: n.Badge},
	}
	payload.APS.Alert.Body = n.Message
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("encode push: %w", err)
	}
	return &apns2.Notification{
		DeviceToken: n.Token, Topic: n.Topic, CollapseID: n.TransactionID, Expiration: n.ExpiresAt,
		Priority: apns2.PriorityHigh, PushType: apns2.PushTypeAlert, Payload: text,
	}, nil
}

func (a apns) send(ctx context.Context, n note) delivery {
	push, err := n.notification()
	if err != nil {
		return delivery{Reason: notConfigured}
	}
	for try := 0; ; try++ {
		d, again := a.once(ctx, push)
		if !again || try == len(apnsWaits) || a.wait(ctx, apnsWaits[try]) != nil {
			return d
		}
	}
}

// once sends one time, and tells whether another try may help.
func (a apns) once(ctx context.Context, push *apns2.Notification) (d delivery, again bool) {
	response, err := a.client.PushWithContext(ctx, push)
	if err != nil {
		return unanswered(ctx), ctx.Err() == nil
	}
	d = delivery{Accepted: response.Sent(), Status: response.StatusCode, Reason: response.Reason}
	d.Stale = response.StatusCode == http.StatusGone && response.Reason == apns2.ReasonUnregistered
	return d, d.Status == http.StatusTooManyRequests || d.Status >= http.StatusInternalServerError
}
