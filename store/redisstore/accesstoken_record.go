package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tokenserver/store"
)

// A record is: form, state, 16 hex digits of its end (µs), then numbers as varints, texts with their length before
// them, lists with their count before them. The end stands at a fixed place, so that a script can shorten it.
const (
	recordForm    = '1'
	recordLive    = 'L'
	recordRevoked = 'R'

	recordHead = 2 + 16
)

// errRecord is returned for bytes that are not one of our records.
var errRecord = errors.New("record is malformed")

func expiryText(t time.Time) string { return fmt.Sprintf("%016x", max(t.UnixMicro(), 0)) }

func encodeAccessToken(t store.AccessToken) []byte {
	b := make([]byte, 0, 320)
	b = append(b, recordForm, recordLive)
	b = append(b, expiryText(t.ExpiresAt)...)
	b = binary.AppendVarint(b, microsOf(t.IssuedAt))
	b = binary.AppendVarint(b, microsOf(t.AuthTime))
	b = binary.AppendVarint(b, int64(t.UsageLimit))
	for _, at := range [...]time.Time{t.Outlived.Client, t.Outlived.Profile, t.Outlived.User} {
		b = binary.AppendVarint(b, microsOf(at))
	}
	for _, text := range [...]string{
		t.ClientID, string(t.Kind), t.UserID, t.ProfileID, t.FamilyID, t.SessionID, t.Application, t.Platform, t.Version, t.ACR,
		string(t.UserDetails),
	} {
		b = appendText(b, text)
	}
	for _, list := range [...][]string{t.Scopes, t.Audience, t.AMR} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, text := range list {
			b = appendText(b, text)
		}
	}
	return b
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func decodeAccessToken(text string) (t store.AccessToken, revoked bool, err error) {
	if len(text) < recordHead || text[0] != recordForm || (text[1] != recordLive && text[1] != recordRevoked) {
		return t, false, errRecord
	}
	ends, err := strconv.ParseInt(text[2:recordHead], 16, 64)
	if err != nil {
		return t, false, errRecord
	}
	r := recordReader{rest: text[recordHead:]}
	t.ExpiresAt = time.UnixMicro(ends).UTC()
	t.IssuedAt = momentOf(r.number())
	t.AuthTime = momentOf(r.number())
	t.UsageLimit = int(r.number())
	for _, at := range [...]*time.Time{&t.Outlived.Client, &t.Outlived.Profile, &t.Outlived.User} {
		*at = momentOf(r.number())
	}
	t.ClientID = r.text()
	t.Kind = store.TokenKind(r.text())
	t.UserID, t.ProfileID, t.FamilyID, t.SessionID = r.text(), r.text(), r.text(), r.text()
	t.Application, t.Platform, t.Version, t.ACR = r.text(), r.text(), r.text(), r.text()
	if details := r.text(); details != "" {
		t.UserDetails = []byte(details)
	}
	t.Scopes, t.Audience, t.AMR = r.list(), r.list(), r.list()
	if r.failed || r.rest != "" {
		return store.AccessToken{}, false, errRecord
	}
	return t, text[1] == recordRevoked, nil
}

// recordReader reads a record from its start; after the first mistake everything is empty.
type recordReader struct {
	rest   string
	failed bool
}

func (r *recordReader) number() int64 {
	v, n := binary.Varint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	return r.took(v, n)
}

func (r *recordReader) size() int {
	v, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if v > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(r.took(int64(v), n))
}

func (r *recordReader) took(v int64, n int) int64 {
	if n <= 0 || r.failed {
		r.failed = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *recordReader) text() string {
	n := r.size()
	if r.failed || n > len(r.rest) {
		r.failed = true
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *recordReader) list() []string {
	n := r.size()
	if n == 0 || r.failed {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.text())
	}
	return list
}

// microsOf is microseconds since 1970, 0 for the zero time.
func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func momentOf(m int64) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(m).UTC()
}
