package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
	"tokenserver/store/redisstore"
)

// openStores connects to both stores and checks that they are fit to work with.
func (s *server) openStores(ctx context.Context) (err error) {
	if s.sql, err = s.openSQL(ctx, s.log); err != nil {
		return err
	}
	if err := s.config.ensureSchema(ctx, s.sql); err != nil {
		return err
	}
	redisstore.LogTo(s.log)
	if s.redis, err = redisstore.Open(ctx, s.config.redisConfig(), s.now); err != nil {
		return err
	}
	return s.config.checkEviction(s.redis.EvictionPolicy(ctx))
}

// The lease on the SQL store tells which transaction state belongs to it: that of one process with the embedded Redis,
// or an outside Redis that any number of processes share.
const (
	stateLease  = "transaction-state"
	stateLife   = 5 * time.Second
	stateRenew  = time.Second
	sharedState = "redis"
)

func (s *server) stateHolder() string {
	if s.redis.Embedded() {
		return "process " + s.instance
	}
	return sharedState
}

// holdState takes the lease; a process that was killed a moment ago is waited for.
func (s *server) holdState(ctx context.Context) error {
	deadline := s.now().Add(stateLife + stateRenew)
	for told := false; ; told = true {
		err := s.takeState(ctx)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if s.now().After(deadline) {
			return errors.New("another process works on this SQL store, and its transaction state cannot be shared: " +
				"stop it, or give every process the same outside Redis (redis.addrs)")
		}
		if !told {
			s.log.WarnContext(ctx, "another process holds the SQL store; waiting for its lease to end", "at_most", stateLife.String())
		}
		select {
		case <-time.After(stateLife / 20):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *server) takeState(ctx context.Context) error {
	now := s.now()
	return s.sql.TakeLease(ctx, stateLease, s.stateHolder(), now, now.Add(stateLife))
}

// keepState prolongs the lease until ctx ends. Losing it to another process ends this one.
func (s *server) keepState(ctx context.Context, failed chan<- error) {
	tick := time.NewTicker(stateRenew)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.takeState(ctx); errors.Is(err, store.ErrConflict) {
				failed <- errors.New("another process has taken over the SQL store")
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// loadSettings applies settings_file, if there is one, and loads the settings.
func (s *server) loadSettings(ctx context.Context) error {
	s.settings = s.settingsService(s.sql, s.redis, s.revocations, s.keys, s.log)
	if err := s.settings.Load(ctx); err != nil {
		return fmt.Errorf("load the settings: %w", err)
	}
	ctx = audit.WithTrail(ctx, audit.NewTrail(audit.Origin{Instance: s.instance}))
	if err := s.applySettingsFile(ctx, s.settings); err != nil {
		return err
	}
	if s.config.Environment != Production {
		return nil
	}
	return fits(s.settings) // they may have been stored while the server was not in production
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
