package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
)

// The formats of an exported log.
const (
	JSONLines = "jsonl"
	CEF       = "cef"    // Common Event Format, revision 25
	Syslog    = "syslog" // RFC 5424
)

// Formatter prints sealed events, one line each, without the line end.
type Formatter struct {
	Format   string // JSONLines, CEF or Syslog
	Host     string // HOSTNAME of syslog
	Product  string // version of the server, for CEF
	Facility int    // of syslog; 0 = 10, authpriv
}

// Line returns one event as one line. Errors: an unknown format.
func (f Formatter) Line(e *Sealed) (string, error) {
	switch f.Format {
	case JSONLines:
		return jsonLine(e)
	case CEF:
		return f.cef(e), nil
	case Syslog:
		return f.syslog(e)
	default:
		return "", fmt.Errorf("unknown audit format %q: want %s, %s or %s", f.Format, JSONLines, CEF, Syslog)
	}
}

func jsonLine(e *Sealed) (string, error) {
	line, err := json.Marshal(struct {
		Position      int64           `json:"position"`
		ID            string          `json:"id"`
		Time          string          `json:"time"`
		Code          Code            `json:"code"`
		Outcome       Outcome         `json:"outcome"`
		ClientID      string          `json:"client_id,omitempty"`
		UserID        string          `json:"user_id,omitempty"`
		ProfileID     string          `json:"profile_id,omitempty"`
		Application   string          `json:"application,omitempty"`
		Platform      string          `json:"platform,omitempty"`
		Version       string          `json:"version,omitempty"`
		ClientIP      string          `json:"client_ip,omitempty"`
		UserAgent     string          `json:"user_agent,omitempty"`
		TransactionID string          `json:"transaction_id,omitempty"`
		Agent         string          `json:"agent,omitempty"`
		AdminUser     string          `json:"admin_user,omitempty"`
		Instance      string          `json:"instance,omitempty"`
		Details       json.RawMessage `json:"details"`
		Hash          string          `json:"hash"`
	}{
		e.Position, e.Identifier(), e.Time.UTC().Format(time.RFC3339Nano), e.Code, e.Code.Outcome(), e.ClientID, e.UserID,
		e.ProfileID, e.Application, e.Platform, e.Version, e.ClientIP, e.UserAgent, e.TransactionID, e.Agent,
		e.AdminUser, e.Instance, e.Details.JSON(), hex.EncodeToString(e.Hash),
	})
	return string(line), err
}

// cef prints the header and the extension of the Common Event Format. Details become cs1.
func (f Formatter) cef(e *Sealed) string {
	severity := 3
	if e.Code.Outcome() == Failure {
		severity = 6
	}
	var b strings.Builder
	header := strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	fmt.Fprintf(&b, "CEF:0|tokenserver|tokenserver|%s|%s|%s|%d|", header.Replace(f.Product), header.Replace(string(e.Code)),
		header.Replace(e.Code.Friendly()), severity)
	fmt.Fprintf(&b, "rt=%d outcome=%s externalId=%s", e.Time.UnixMilli(), e.Code.Outcome(), e.Identifier())
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	for _, member := range [...][2]string{
		{"src", e.ClientIP},
		{"suser", e.UserID},
		{"deviceExternalId", e.ClientID},
		{"requestClientApplication", e.UserAgent},
		{"cn1", fmt.Sprint(e.Position)},
		{"dvchost", e.Instance},
		{"cs2", e.TransactionID},
		{"cs3", e.Agent},
		{"cs4", e.AdminUser},
		{"cs5", strings.Trim(e.Application+"/"+e.Platform+"/"+e.Version, "/")},
		{"cs1", e.details()},
	} {
		if member[1] != "" {
			fmt.Fprintf(&b, " %s=%s", member[0], value.Replace(member[1]))
		}
	}
	b.WriteString(" cn1Label=position cs1Label=details cs2Label=transactionId cs3Label=agent cs4Label=adminUser cs5Label=application")
	return b.String()
}

// details prints the details as key=value pairs joined with "; ", the keys sorted, the dividers percent-encoded.
func (e *Sealed) details() string {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(e.Details.JSON()))
	d.UseNumber()
	if d.Decode(&members) != nil {
		return ""
	}
	keys := make([]string, 0, len(members))
	for key := range members {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	escape := strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", "\n", "%0A", "\r", "%0D")
	pairs := make([]string, 0, len(keys))
	for _, key := range keys {
		text := fmt.Sprint(members[key])
		if list, ok := members[key].([]any); ok {
			text = strings.Trim(fmt.Sprint(list), "[]")
		}
		pairs = append(pairs, escape.Replace(key)+"="+escape.Replace(text))
	}
	return strings.Join(pairs, "; ")
}

// syslog prints RFC 5424: the JSON line is the message, position and hash are structured data.
func (f Formatter) syslog(e *Sealed) (string, error) {
	message, err := jsonLine(e)
	if err != nil {
		return "", err
	}
	const authpriv, notice, informational = 10, 5, 6
	facility := f.Facility
	if facility == 0 {
		facility = authpriv
	}
	severity := informational
	if e.Code.Outcome() == Failure {
		severity = notice
	}
	// 32473 is the enterprise number that RFC 5612 keeps for documentation and private use.
	return fmt.Sprintf(`<%d>1 %s %s tokenserver - %s [audit@32473 position="%d" hash="%s"] %s`,
		facility*8+severity, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), nilValue(f.Host), nilValue(syslogID(e.Code)),
		e.Position, hex.EncodeToString(e.Hash), message), nil
}

// syslogID cuts a code to the 32 characters of MSGID.
func syslogID(c Code) string {
	const most = 32
	if len(c) > most {
		return string(c[:most])
	}
	return string(c)
}

func nilValue(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Friendly returns the code in words, as the events API shows it: "Admin client deleted".
func (c Code) Friendly() string {
	words := strings.ToLower(strings.ReplaceAll(string(c), "_", " "))
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
