package pushauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/errorutils"
	"firebase.google.com/go/v4/messaging"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	googleapi "google.golang.org/api/option"

	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

const fcmScope = "https://www.googleapis.com/auth/firebase.messaging"

// fcm is Google's push service under one service account.
type fcm struct {
	client *messaging.Client
}

// newFCM makes the gateway of a push configuration. The library would drop the authentication if it were given a plain
// HTTP client, so the guarded one stands inside an oauth2 transport, which keeps the access token and renews it.
func newFCM(ctx context.Context, config PusherConfig, c *settings.PushConfiguration) (gateway, error) {
	account, err := google.JWTConfigFromJSON([]byte(c.ServiceAccount.Reveal()), fcmScope)
	if err != nil {
		return nil, errors.New("the service account is not usable") // the library's error may quote the key
	}
	var project struct {
		ID string `json:"project_id"`
	}
	if err := json.Unmarshal([]byte(c.ServiceAccount.Reveal()), &project); err != nil || project.ID == "" {
		return nil, errors.New("the service account names no project")
	}
	guarded := outbound.New(outbound.Config{Timeout: pushBudget, AllowPrivate: config.AllowPrivate})
	// The gateway outlives the request that needed it first; each send brings a context of its own.
	lasting := context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, guarded)
	options := []googleapi.ClientOption{googleapi.WithHTTPClient(account.Client(lasting))}
	if config.FCMEndpoint != "" {
		options = append(options, googleapi.WithEndpoint(config.FCMEndpoint))
	}
	app, err := firebase.NewApp(lasting, &firebase.Config{ProjectID: project.ID}, options...)
	if err != nil {
		return nil, fmt.Errorf("set up FCM: %w", err)
	}
	client, err := app.Messaging(lasting)
	if err != nil {
		return nil, fmt.Errorf("set up FCM: %w", err)
	}
	return fcm{client}, nil
}

// fcmContent is the JSON text in the key "content" of the data.
type fcmContent struct {
	TransactionID string `json:"og_transaction_id"`
	Message       string `json:"og_message"`
	ProfileID     string `json:"og_profile_id"`
	Timestamp     int64  `json:"og_timestamp"`    // sent at, milliseconds
	TimeToLive    int64  `json:"og_time_to_live"` // seconds left
}

// message builds what is sent to Google: a data message, so that the app's service runs.
func (n note) message() (*messaging.Message, error) {
	content, err := json.Marshal(fcmContent{
		TransactionID: n.TransactionID, Message: n.Message, ProfileID: n.ProfileID,
		Timestamp: n.SentAt.UnixMilli(), TimeToLive: n.timeToLive(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode push: %w", err)
	}
	data := map[string]string{"content": string(content)}
	if n.Cordova {
		data["title"], data["message"] = n.Title, n.Message
		data["content-available"], data["force-start"] = "1", "1"
		data["notId"] = strconv.FormatUint(uint64(notificationID(n.TransactionID)), 10)
	}
	life := time.Duration(n.timeToLive()) * time.Second
	return &messaging.Message{
		Token: n.Token, Data: data,
		Android: &messaging.AndroidConfig{Priority: "high", TTL: &life},
	}, nil
}

// notificationID returns a 31-bit hash of the transaction id: a resend replaces the notification.
func notificationID(transactionID string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(transactionID)) // a hash never fails
	return h.Sum32() & 0x7fffffff
}

func (f fcm) send(ctx context.Context, n note) delivery {
	message, err := n.message()
	if err != nil {
		return delivery{Reason: notConfigured}
	}
	// Getting an access token does not heed ctx, so the send is left behind when the time is over.
	sent := make(chan error, 1)
	go func() {
		_, err := f.client.Send(ctx, message)
		sent <- err
	}()
	select {
	case err = <-sent:
	case <-ctx.Done():
		return delivery{Reason: timedOut}
	}
	if err == nil {
		return delivery{Accepted: true, Status: http.StatusOK}
	}
	d := delivery{Reason: fcmReason(err), Stale: messaging.IsUnregistered(err)}
	if response := errorutils.HTTPResponse(err); response != nil { //nolint:bodyclose // the library has read and closed it
		d.Status = response.StatusCode
	}
	if d.Status == 0 {
		return unanswered(ctx)
	}
	return d
}

// fcmReason returns the error code of FCM, else the canonical one of Google's APIs.
func fcmReason(err error) string {
	switch {
	case messaging.IsUnregistered(err):
		return "UNREGISTERED"
	case messaging.IsSenderIDMismatch(err):
		return "SENDER_ID_MISMATCH"
	case messaging.IsQuotaExceeded(err):
		return "QUOTA_EXCEEDED"
	case messaging.IsThirdPartyAuthError(err):
		return "THIRD_PARTY_AUTH_ERROR"
	case messaging.IsUnavailable(err):
		return "UNAVAILABLE"
	case messaging.IsInternal(err):
		return "INTERNAL"
	case messaging.IsInvalidArgument(err):
		return "INVALID_ARGUMENT"
	case errorutils.IsUnauthenticated(err):
		return "UNAUTHENTICATED"
	case errorutils.IsPermissionDenied(err):
		return "PERMISSION_DENIED"
	case errorutils.IsNotFound(err):
		return "NOT_FOUND"
	}
	return "UNKNOWN"
}
