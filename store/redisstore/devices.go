package redisstore

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// What a device that asks too often has to wait: more each time (RFC 8628 §3.5).
const (
	slowDownBy      = 5 * time.Second
	longestInterval = time.Minute
)

//go:embed scripts/device_add.lua
var deviceAddText string

//go:embed scripts/device_move.lua
var deviceMoveText string

//go:embed scripts/device_poll.lua
var devicePollText string

var (
	deviceAdd  = redis.NewScript(deviceAddText)
	deviceMove = redis.NewScript(deviceMoveText)
	devicePoll = redis.NewScript(devicePollText)
)

func deviceKey(id string) string         { return "{dev:" + id + "}:rec" }
func userCodeKey(userCode string) string { return "ucode:{" + userCode + "}" }

// AddDevice starts a device login and makes it known under the keyed hash of its user code, in hex.
// Errors: store.ErrConflict when the user code is in use, by this login or another: take another one.
func (s *Store) AddDevice(ctx context.Context, d store.DeviceAuthorization, userCode string) error {
	record, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode device login: %w", err)
	}
	life := s.life(d.ExpiresAt)
	// The code leads to the record from another slot. It is claimed first: a code without a record is nobody's.
	claimed, err := s.client.SetNX(ctx, userCodeKey(userCode), d.ID, life).Result()
	switch {
	case err != nil:
		return fmt.Errorf("claim user code: %w", unavailable(err))
	case !claimed:
		return fmt.Errorf("claim user code: %w", store.ErrConflict)
	}
	word, err := deviceAdd.Run(ctx, s.client, []string{deviceKey(d.ID)}, life.Milliseconds(), "state", string(store.DevicePending),
		"record", record, "expires_at", d.ExpiresAt.UnixMilli(), "interval", d.Interval.Milliseconds()).Text()
	switch {
	case err != nil:
		return fmt.Errorf("add device login: %w", unavailable(err))
	case word != "OK":
		return fmt.Errorf("add device login: id is taken: %w", store.ErrConflict)
	}
	return nil
}

// Device returns a device login, whatever its state; it comes with store.ErrExpired too.
// Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) Device(ctx context.Context, id string) (store.DeviceAuthorization, error) {
	fields, err := s.client.HMGet(ctx, deviceKey(id), "state", "record").Result()
	if err != nil {
		return store.DeviceAuthorization{}, fmt.Errorf("read device login: %w", unavailable(err))
	}
	state, known := fields[0].(string)
	record, whole := fields[1].(string)
	if !known || !whole {
		return store.DeviceAuthorization{}, fmt.Errorf("read device login: %w", store.ErrNotFound)
	}
	return s.device(state, record)
}

// DeviceByUserCode is Device for the keyed hash of a user code, in hex.
func (s *Store) DeviceByUserCode(ctx context.Context, userCode string) (store.DeviceAuthorization, error) {
	id, err := s.client.Get(ctx, userCodeKey(userCode)).Result()
	if err != nil {
		return store.DeviceAuthorization{}, fmt.Errorf("find user code: %w", missing(err))
	}
	return s.Device(ctx, id)
}

// PollDevice is Device for the device that waits. While nobody has decided it also says whether the device asks too
// often: the first poll before the interval is over is forgiven, each further one makes the interval 5 s longer.
func (s *Store) PollDevice(ctx context.Context, id string) (d store.DeviceAuthorization, slowDown bool, err error) {
	answer, err := devicePoll.Run(ctx, s.client, []string{deviceKey(id)}, slowDownBy.Milliseconds(),
		longestInterval.Milliseconds()).StringSlice()
	switch {
	case err != nil:
		return d, false, fmt.Errorf("poll device login: %w", unavailable(err))
	case len(answer) == 0:
		return d, false, fmt.Errorf("poll device login: %w", store.ErrNotFound)
	}
	d, err = s.device(answer[0], answer[1])
	return d, answer[2] == "1", err
}

func (s *Store) device(state, record string) (store.DeviceAuthorization, error) {
	var d store.DeviceAuthorization
	if err := json.Unmarshal([]byte(record), &d); err != nil {
		return d, fmt.Errorf("decode device login: %w", err)
	}
	d.State = store.DeviceState(state)
	if !s.now().Before(d.ExpiresAt) {
		return d, fmt.Errorf("read device login: %w", store.ErrExpired)
	}
	return d, nil
}

// DecideDevice stores the user's decision on a pending device login: d as it was read, with the state APPROVED and who
// approved, or DENIED. Of several decisions one counts.
// Errors: store.ErrNotFound, store.ErrExpired, store.ErrConflict (decided already, or no decision).
func (s *Store) DecideDevice(ctx context.Context, d store.DeviceAuthorization) error {
	if !store.DevicePending.CanMoveTo(d.State) {
		return fmt.Errorf("decide device login as %s: %w", d.State, store.ErrConflict)
	}
	record, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode device login: %w", err)
	}
	err = settled(deviceMove.Run(ctx, s.client, []string{deviceKey(d.ID)}, string(store.DevicePending), string(d.State), record, 0).Text())
	if err != nil {
		return fmt.Errorf("decide device login: %w", err)
	}
	return nil
}

// SpendDevice marks an approved device login as redeemed. Its tokens were granted in SQL, so time has no say in it.
// Errors: store.ErrNotFound, store.ErrConflict (not approved, or redeemed before).
func (s *Store) SpendDevice(ctx context.Context, id string) error {
	err := settled(deviceMove.Run(ctx, s.client, []string{deviceKey(id)}, string(store.DeviceApproved), string(store.DeviceUsed), "", 1).Text())
	if err != nil {
		return fmt.Errorf("spend device login: %w", err)
	}
	return nil
}
