package standin

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	fcmMaxBody = 1 << 16
	fcmMaxData = 4096
	fcmMaxTTL  = 28 * 24 * time.Hour
)

var fcmDuration = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,9})?s$`)

// fcmRequest is the body of messages:send, as far as an app of this product uses it. Unknown members are refused.
type fcmRequest struct {
	ValidateOnly bool       `json:"validate_only"`
	Message      fcmMessage `json:"message"`
}

type fcmMessage struct {
	Name         string                     `json:"name"`
	Token        string                     `json:"token"`
	Topic        string                     `json:"topic"`
	Condition    string                     `json:"condition"`
	Data         map[string]json.RawMessage `json:"data"`
	Notification json.RawMessage            `json:"notification"`
	Android      fcmAndroid                 `json:"android"`
	APNS         json.RawMessage            `json:"apns"`
	Webpush      json.RawMessage            `json:"webpush"`
	Options      json.RawMessage            `json:"fcm_options"`

	data map[string]string // Data, checked
}

type fcmAndroid struct {
	CollapseKey  string                     `json:"collapse_key"`
	Priority     string                     `json:"priority"`
	TTL          *string                    `json:"ttl"`
	Package      string                     `json:"restricted_package_name"`
	Data         map[string]json.RawMessage `json:"data"`
	Notification json.RawMessage            `json:"notification"`
	Options      json.RawMessage            `json:"fcm_options"`
	DirectBoot   bool                       `json:"direct_boot_ok"`
	Bandwidth    bool                       `json:"bandwidth_constrained_ok"`
	Satellite    bool                       `json:"restricted_satellite_ok"`
}

// readFCM parses and checks a request.
func readFCM(body io.Reader) (*fcmRequest, *fcmRefusal) {
	var request fcmRequest
	decoder := json.NewDecoder(io.LimitReader(body, fcmMaxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return nil, &fcmRefusal{
			http: fcmCodes()["INVALID_ARGUMENT"].http, status: "INVALID_ARGUMENT", message: "Invalid JSON payload received. " + err.Error(),
		}
	}
	m := &request.Message
	targets := 0
	for _, target := range []string{m.Token, m.Topic, m.Condition} {
		if target != "" {
			targets++
		}
	}
	if targets != 1 || m.Token == "" { // topics are real, but no app of this product subscribes to one
		return nil, fcmRefuse("INVALID_ARGUMENT", "Exactly one of token, topic or condition must be specified", "message")
	}
	data := m.Data
	if m.Android.Data != nil {
		data = m.Android.Data // overrides the common data
	}
	if refusal := m.readData(data); refusal != nil {
		return nil, refusal
	}
	if p := m.Android.Priority; p != "" && !slices.Contains([]string{"HIGH", "NORMAL"}, strings.ToUpper(p)) {
		return nil, fcmRefuse("INVALID_ARGUMENT", "Invalid value at 'message.android.priority': "+strconv.Quote(p), "message.android.priority")
	}
	if _, err := m.Android.timeToLive(); err != nil {
		return nil, fcmRefuse("INVALID_ARGUMENT", "Invalid value at 'message.android.ttl': "+err.Error(), "message.android.ttl")
	}
	return &request, nil
}

// readData checks the data: strings only, no reserved key, 4096 bytes of keys and values together.
func (m *fcmMessage) readData(data map[string]json.RawMessage) *fcmRefusal {
	m.data = make(map[string]string, len(data))
	size := 0
	for key, raw := range data {
		var value string
		if json.Unmarshal(raw, &value) != nil || string(raw) == "null" {
			return fcmRefuse("INVALID_ARGUMENT", "Invalid value at 'message.data[0].value' (TYPE_STRING), "+string(raw), "message.data[0].value")
		}
		if key == "from" || key == "message_type" || strings.HasPrefix(key, "google.") || strings.HasPrefix(key, "gcm.") {
			return fcmRefuse("INVALID_ARGUMENT", "Invalid data payload key: "+key, "message.data")
		}
		m.data[key] = value
		size += len(key) + len(value)
	}
	if size > fcmMaxData {
		return fcmRefuse("INVALID_ARGUMENT", "Android message is too big", "message.data")
	}
	return nil
}

// timeToLive reads a protobuf duration between 0 and 28 days; nothing given means the longest.
func (a fcmAndroid) timeToLive() (time.Duration, error) {
	if a.TTL == nil {
		return fcmMaxTTL, nil
	}
	if !fcmDuration.MatchString(*a.TTL) {
		return 0, errors.New("not a duration")
	}
	d, err := time.ParseDuration(*a.TTL)
	if err != nil || d > fcmMaxTTL {
		return 0, errors.New("more than 28 days")
	}
	return d, nil
}

// push is the record of an accepted message.
func (r *fcmRequest) push(name, project string, now time.Time) Push {
	payload, _ := json.Marshal(r.Message.data) // a map of strings always encodes
	life, _ := r.Message.Android.timeToLive()  // checked by readFCM
	priority := strings.ToUpper(r.Message.Android.Priority)
	if priority == "" {
		priority = "NORMAL"
	}
	return Push{
		Service: "fcm", ID: name, Token: r.Message.Token, Topic: project, Priority: priority,
		CollapseID: r.Message.Android.CollapseKey, Expiration: now.Add(life), Payload: payload, At: now,
	}
}
