package audit

import (
	"encoding/json"
	"strconv"
	"time"
)

// Event is one line of the audit log as the request wrote it. Sequence, position and hashes are added by the store.
type Event struct {
	Time          time.Time // UTC, microseconds
	Code          Code
	ClientID      string // OAuth client; for an app installation also its device id
	UserID        string
	ProfileID     string
	Application   string // identifier of the mobile application
	Platform      string // android or ios
	Version       string // version of the application
	ClientIP      string
	UserAgent     string
	TransactionID string // of the request: from the configured header or made here
	Agent         string // who acted: "api:<client id>", "app:<client id>", empty for a browser
	AdminUser     string
	Instance      string // the server process that wrote it
	Details       Details
}

// Details are the typed members of one event, encoded as a JSON object. Never a secret.
type Details []byte

// JSON returns the object; "{}" when there are no details.
func (d Details) JSON() json.RawMessage {
	if len(d) == 0 {
		return json.RawMessage("{}")
	}
	return append(append(make([]byte, 0, len(d)+1), d...), '}')
}

// add appends one member. The object is kept open: JSON closes it.
func (d Details) add(key string, value []byte) Details {
	if len(d) == 0 {
		d = append(d, '{')
	} else {
		d = append(d, ',')
	}
	d = strconv.AppendQuote(d, key)
	d = append(d, ':')
	return append(d, value...)
}

// Attr is one fact of an event. Only the constructors of this package make one, so that no token, PIN, code, push
// token or phone number can enter by accident.
type Attr struct {
	set func(*Event)
}

// User names the subject of the event.
func User(id string) Attr { return Attr{func(e *Event) { e.UserID = id }} }

// Client names the OAuth client; for an installation that is its device id too.
func Client(id string) Attr { return Attr{func(e *Event) { e.ClientID = id }} }

// Profile names the profile of the user inside the installation.
func Profile(id string) Attr { return Attr{func(e *Event) { e.ProfileID = id }} }

// App names the application, platform and version of an installation.
func App(identifier, platform, version string) Attr {
	return Attr{func(e *Event) { e.Application, e.Platform, e.Version = identifier, platform, version }}
}

// APIAgent names the API client that made a portal call.
func APIAgent(clientID string) Attr { return Attr{func(e *Event) { e.Agent = "api:" + clientID }} }

// AppAgent names the installation that made an app call.
func AppAgent(clientID string) Attr { return Attr{func(e *Event) { e.Agent = "app:" + clientID }} }

// Admin names the person or tool that administers.
func Admin(user string) Attr { return Attr{func(e *Event) { e.AdminUser = user }} }

// Transaction puts the id of an authentication transaction into the details.
func Transaction(id string) Attr { return Detail("transaction_id", id) }

// Reason puts the finer reason of a failure into the details: short, lower case, a constant.
func Reason(reason string) Attr { return Detail("reason", reason) }

// Detail puts one text into the details. At most 256 bytes of it are kept, so that foreign text cannot flood the log.
func Detail(key, value string) Attr {
	const most = 256
	if len(value) > most {
		value = value[:most]
	}
	return Attr{func(e *Event) {
		text, err := json.Marshal(value)
		if err != nil { // cannot happen: a string always encodes
			text = []byte(`""`)
		}
		e.Details = e.Details.add(key, text)
	}}
}

// Count puts one number into the details.
func Count(key string, n int) Attr {
	return Attr{func(e *Event) { e.Details = e.Details.add(key, strconv.AppendInt(nil, int64(n), 10)) }}
}

// Flag puts one boolean into the details.
func Flag(key string, is bool) Attr {
	return Attr{func(e *Event) { e.Details = e.Details.add(key, strconv.AppendBool(nil, is)) }}
}

// List puts a list of texts, for example scopes, into the details.
func List(key string, values []string) Attr {
	return Attr{func(e *Event) {
		text, err := json.Marshal(values)
		if err != nil { // cannot happen: strings always encode
			text = []byte("[]")
		}
		e.Details = e.Details.add(key, text)
	}}
}
