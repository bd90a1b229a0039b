package standin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits of Apple's push service.
const (
	apnsMaxPayload     = 4096
	apnsMaxVoIPPayload = 5120
	apnsMaxCollapseID  = 64
)

var (
	apnsToken     = regexp.MustCompile(`^[0-9a-fA-F]{64,200}$`)
	apnsPushTypes = []string{"alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity", "pushtotalk", "widgets"}
)

// APNs is Apple's push service on loopback: HTTP/2 over TLS with a certificate authority of its own, token authentication.
// Devices, planned failures and accepted pushes: see the embedded methods.
type APNs struct {
	pushService
	server  *http.Server
	address string
	caPEM   []byte
	keys    map[string]providerKey // by key id; guarded by mu
}

// providerKey is a token signing key of one team.
type providerKey struct {
	teamID string
	public *ecdsa.PublicKey
}

// StartAPNs starts the service on a free port. now is its clock.
func StartAPNs(now func() time.Time) (*APNs, error) {
	caPEM, certificate, err := authority(now())
	if err != nil {
		return nil, fmt.Errorf("start apns: %w", err)
	}
	a := &APNs{pushService: pushService{now: now}, caPEM: caPEM, keys: make(map[string]providerKey)}
	a.server = &http.Server{
		Handler: a,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, &providerTokens{})
		},
	}
	if a.address, err = serve(a.server, certificate); err != nil {
		return nil, fmt.Errorf("start apns: %w", err)
	}
	return a, nil
}

// URL is the base URL, to be used in place of https://api.push.apple.com.
func (a *APNs) URL() string { return "https://" + a.address }

// CAPEM is the certificate authority that clients must trust.
func (a *APNs) CAPEM() []byte { return slices.Clone(a.caPEM) }

// Close stops the service and closes the channels of Subscribe.
func (a *APNs) Close() error {
	defer a.stop()
	if err := a.server.Close(); err != nil {
		return fmt.Errorf("close apns: %w", err)
	}
	return nil
}

// AddKey makes a token signing key known: team and key id have 10 characters at Apple.
func (a *APNs) AddKey(teamID, keyID string, public *ecdsa.PublicKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[keyID] = providerKey{teamID: teamID, public: public}
}

// NewKey makes a token signing key, makes it known and returns it as the text of a .p8 file (PKCS #8 in PEM).
func (a *APNs) NewKey(teamID, keyID string) (p8 []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make apns key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make apns key: %w", err)
	}
	a.AddKey(teamID, keyID, &key.PublicKey)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// apnsRefusal is a status with the reason that Apple documents for it.
type apnsRefusal struct {
	status int
	reason string
	gone   time.Time // only with 410
}

func refuse(status int, reason string) *apnsRefusal {
	return &apnsRefusal{status: status, reason: reason}
}

// ServeHTTP answers POST /3/device/{token}.
func (a *APNs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("apns-id")
	if id == "" {
		id = strings.ToUpper(uuid.NewString())
	}
	w.Header().Set("apns-id", id)
	failed, planned := a.planned(r.Context())
	refusal := refuse(failed.status, failed.reason)
	if !planned {
		refusal = a.push(r, id)
	}
	if refusal == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	body := map[string]any{"reason": refusal.reason}
	if refusal.status == http.StatusGone {
		if refusal.gone.IsZero() {
			refusal.gone = a.now()
		}
		body["timestamp"] = refusal.gone.UnixMilli()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}

// push checks one request the way Apple does and accepts it, or says why not.
func (a *APNs) push(r *http.Request, id string) *apnsRefusal {
	token, found := strings.CutPrefix(r.URL.Path, "/3/device/")
	switch {
	case !found:
		return refuse(http.StatusNotFound, "BadPath")
	case r.Method != http.MethodPost:
		return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed")
	case token == "":
		return refuse(http.StatusBadRequest, "MissingDeviceToken")
	}
	if refusal := a.authenticate(r); refusal != nil {
		return refusal
	}
	p := Push{Service: "apns", ID: id, Token: token, At: a.now()}
	if refusal := readHeaders(r.Header, &p); refusal != nil {
		return refusal
	}
	if refusal := readPayload(r.Body, &p); refusal != nil {
		return refusal
	}
	d, known := a.lookup(token)
	switch {
	case !apnsToken.MatchString(token) || !known:
		return refuse(http.StatusBadRequest, "BadDeviceToken")
	case d.topic != p.Topic:
		return refuse(http.StatusBadRequest, "DeviceTokenNotForTopic")
	case !d.gone.IsZero():
		return &apnsRefusal{status: http.StatusGone, reason: "Unregistered", gone: d.gone}
	}
	a.accept(p)
	return nil
}

// readHeaders checks the apns- headers and fills the push with them.
func readHeaders(h http.Header, p *Push) *apnsRefusal {
	for _, name := range []string{"apns-id", "apns-topic", "apns-push-type", "apns-priority", "apns-expiration", "apns-collapse-id"} {
		if len(h.Values(name)) > 1 {
			return refuse(http.StatusBadRequest, "DuplicateHeaders")
		}
	}
	if uuid.Validate(p.ID) != nil {
		return refuse(http.StatusBadRequest, "BadMessageId")
	}
	p.PushType = h.Get("apns-push-type")
	if p.PushType == "" {
		p.PushType = "alert"
	}
	if !slices.Contains(apnsPushTypes, p.PushType) {
		return refuse(http.StatusBadRequest, "InvalidPushType")
	}
	p.Priority = h.Get("apns-priority")
	if p.Priority == "" {
		p.Priority = "10"
	}
	if !slices.Contains([]string{"10", "5", "1"}, p.Priority) || (p.PushType == "background" && p.Priority == "10") {
		return refuse(http.StatusBadRequest, "BadPriority")
	}
	if text := h.Get("apns-expiration"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 {
			return refuse(http.StatusBadRequest, "BadExpirationDate")
		}
		p.Expiration = time.Unix(seconds, 0).UTC()
	}
	p.CollapseID = h.Get("apns-collapse-id")
	if len(p.CollapseID) > apnsMaxCollapseID {
		return refuse(http.StatusBadRequest, "BadCollapseId")
	}
	p.Topic = h.Get("apns-topic")
	if p.Topic == "" {
		return refuse(http.StatusBadRequest, "MissingTopic")
	}
	return nil
}

// readPayload reads the JSON dictionary. Apple documents no reason of its own for a payload that is not one: it counts as none.
func readPayload(body io.Reader, p *Push) *apnsRefusal {
	limit := apnsMaxPayload
	if p.PushType == "voip" {
		limit = apnsMaxVoIPPayload
	}
	payload, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if err != nil {
		return refuse(http.StatusBadRequest, "IdleTimeout")
	}
	if len(payload) > limit {
		return refuse(http.StatusRequestEntityTooLarge, "PayloadTooLarge")
	}
	var dictionary map[string]json.RawMessage
	if json.Unmarshal(payload, &dictionary) != nil || len(dictionary) == 0 {
		return refuse(http.StatusBadRequest, "PayloadEmpty")
	}
	p.Payload = payload
	return nil
}
