package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Sealed is an event with its place in the log: the one sealer of the cluster gives committed events dense positions
// and chains them by hash, so that an edited, deleted, inserted or moved row breaks the chain.
type Sealed struct {
	Event
	Sequence int64  // as the database numbered it at the insert: unique, not dense, not in commit order
	Position int64  // dense, from 1
	Hash     []byte // 32 bytes: over the hash of position-1, the position, the sequence and every field
}

// Chain returns the hash of e at its position after an event whose hash is previous; nil before the first.
func (e *Sealed) Chain(previous []byte) []byte {
	h := sha256.New()
	number := func(n int64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		_, _ = h.Write(b[:]) // a hash never fails
	}
	text := func(s string) {
		number(int64(len(s)))
		_, _ = h.Write([]byte(s))
	}
	_, _ = h.Write([]byte("tokenserver audit v1\x00"))
	text(string(previous))
	number(e.Position)
	number(e.Sequence)
	number(e.Time.UnixMicro())
	for _, field := range [...]string{
		string(e.Code), e.ClientID, e.UserID, e.ProfileID, e.Application, e.Platform, e.Version, e.ClientIP, e.UserAgent,
		e.TransactionID, e.Agent, e.AdminUser, e.Instance, string(e.Details.JSON()),
	} {
		text(field)
	}
	return h.Sum(nil)
}

// Identifier returns the UUID (version 8, RFC 9562 §5.8) under which the events API shows the event: the head of its
// hash.
func (e *Sealed) Identifier() string {
	const digits = "0123456789abcdef"
	if len(e.Hash) < 16 {
		return ""
	}
	var id [16]byte
	copy(id[:], e.Hash)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	out := make([]byte, 0, 36)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

// DetailsFrom takes details as they were stored: one JSON object.
func DetailsFrom(object string) Details {
	if object == "" || object == "{}" {
		return nil
	}
	return Details(object[:len(object)-1])
}

// Checkpoint is the state of the chain at one moment, signed. Ship it away: what lies after the last checkpoint that
// is kept elsewhere can be cut off unnoticed.
type Checkpoint struct {
	Position int64
	Hash     []byte
	Time     time.Time
	JWS      string // compact, typ "audit-checkpoint+jwt"; claims iss, iat, position, hash (hex)
}
