package redisstore

import (
	"cmp"
	"context"
	_ "embed" // the scripts
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

//go:embed scripts/session_use.lua
var sessionUseText string

//go:embed scripts/session_list.lua
var sessionListText string

var (
	sessionUse  = redis.NewScript(sessionUseText)
	sessionList = redis.NewScript(sessionListText)
)

// The fields of a session's hash besides one for each client, which begins with clientField.
const (
	recordField  = "record"
	expiresField = "expires_at" // ms
	answerField  = "answer_at"  // ms
	raisedField  = "stepped_up"
	clientField  = "client:"
)

// mostSessions is how many sessions of a user are listed.
const mostSessions = 1000

func sessionKey(hash []byte) string { return "{sess:" + hex.EncodeToString(hash) + "}:rec" }

func sessionsOfKey(userID string) string { return "sessu:{" + userID + "}" }

// AddSession stores a browser session with its clients, and lists it for its user.
func (s *Store) AddSession(ctx context.Context, b store.BrowserSession) error {
	record, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	key := sessionKey(b.Hash)
	fields := []any{recordField, record, expiresField, millis(b.ExpiresAt), answerField, millis(b.AnswerAt)}
	for _, client := range b.Clients {
		fields = append(fields, clientField+client, "1")
	}
	_, err = s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, key)
		p.HSet(ctx, key, fields...)
		p.PExpire(ctx, key, s.sessionLife(b.ExpiresAt))
		return nil
	})
	if err != nil {
		return fmt.Errorf("add session: %w", unavailable(err))
	}
	err = sessionList.Run(ctx, s.client, []string{sessionsOfKey(b.UserID)}, millis(s.now()), millis(b.EndsAt),
		hex.EncodeToString(b.Hash), s.sessionLife(b.EndsAt).Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("list session: %w", unavailable(err))
	}
	return nil
}

// sessionLife is the TTL of a session: it needs no grace, because an expired one is no other than none.
func (s *Store) sessionLife(ends time.Time) time.Duration { return max(ends.Sub(s.now()), time.Second) }

// TouchSession moves the end of a live session; one that was ended meanwhile stays ended. Errors: store.ErrNotFound.
func (s *Store) TouchSession(ctx context.Context, hash []byte, expires time.Time) error {
	err := settled(sessionUse.Run(ctx, s.client, []string{sessionKey(hash)}, s.sessionLife(expires).Milliseconds(),
		expiresField, millis(expires)).Text())
	if err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// JoinSession notes that a client gets an answer in a session now. Errors: store.ErrNotFound.
func (s *Store) JoinSession(ctx context.Context, hash []byte, clientID string) error {
	err := settled(sessionUse.Run(ctx, s.client, []string{sessionKey(hash)}, 0, clientField+clientID, "1",
		answerField, millis(s.now())).Text())
	if err != nil {
		return fmt.Errorf("join session: %w", err)
	}
	return nil
}

// RaiseSession notes that the user of a session has typed the code of a text message. Errors: store.ErrNotFound.
func (s *Store) RaiseSession(ctx context.Context, hash []byte) error {
	err := settled(sessionUse.Run(ctx, s.client, []string{sessionKey(hash)}, 0, raisedField, "1").Text())
	if err != nil {
		return fmt.Errorf("raise session: %w", err)
	}
	return nil
}

// Session returns a browser session. Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) Session(ctx context.Context, hash []byte) (store.BrowserSession, error) {
	fields, err := s.client.HGetAll(ctx, sessionKey(hash)).Result()
	if err != nil {
		return store.BrowserSession{}, fmt.Errorf("read session: %w", unavailable(err))
	}
	return s.session(fields)
}

// session undoes AddSession.
func (s *Store) session(fields map[string]string) (store.BrowserSession, error) {
	var b store.BrowserSession
	if len(fields) == 0 {
		return b, store.ErrNotFound
	}
	if err := json.Unmarshal([]byte(fields[recordField]), &b); err != nil {
		return store.BrowserSession{}, fmt.Errorf("decode session: %w", err)
	}
	moment := func(name string) time.Time {
		if n, err := strconv.ParseInt(fields[name], 10, 64); err == nil && n != 0 {
			return time.UnixMilli(n).UTC()
		}
		return time.Time{}
	}
	b.ExpiresAt, b.AnswerAt = moment(expiresField), moment(answerField)
	b.SteppedUp = b.SteppedUp || fields[raisedField] != ""
	for name := range fields {
		if client, is := strings.CutPrefix(name, clientField); is {
			b.Clients = append(b.Clients, client)
		}
	}
	slices.Sort(b.Clients)
	if now := s.now(); !now.Before(b.ExpiresAt) || !now.Before(b.EndsAt) {
		return store.BrowserSession{}, store.ErrExpired
	}
	return b, nil
}

// SessionsOf returns the live sessions of a user, oldest first, 1000 at most.
func (s *Store) SessionsOf(ctx context.Context, userID string) ([]store.BrowserSession, error) {
	hashes, err := s.client.ZRevRange(ctx, sessionsOfKey(userID), 0, mostSessions-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", unavailable(err))
	}
	reads := make([]*redis.MapStringStringCmd, 0, len(hashes))
	if len(hashes) > 0 {
		_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, text := range hashes {
				hash, err := hex.DecodeString(text)
				if err != nil {
					return fmt.Errorf("decode hash: %w", err)
				}
				reads = append(reads, p.HGetAll(ctx, sessionKey(hash)))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read sessions: %w", unavailable(err))
		}
	}
	list := make([]store.BrowserSession, 0, len(reads))
	for _, read := range reads {
		b, err := s.session(read.Val())
		if err == nil && b.UserID == userID {
			list = append(list, b)
		}
	}
	slices.SortStableFunc(list, func(x, y store.BrowserSession) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), strings.Compare(x.ID, y.ID))
	})
	return list, nil
}

// EndSession removes a browser session; one that is not there is ended already.
func (s *Store) EndSession(ctx context.Context, b store.BrowserSession) error {
	if err := s.client.Del(ctx, sessionKey(b.Hash)).Err(); err != nil {
		return fmt.Errorf("end session: %w", unavailable(err))
	}
	if err := s.client.ZRem(ctx, sessionsOfKey(b.UserID), hex.EncodeToString(b.Hash)).Err(); err != nil {
		return fmt.Errorf("forget session: %w", unavailable(err))
	}
	return nil
}
