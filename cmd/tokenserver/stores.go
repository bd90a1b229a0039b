package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
	"tokenserver/store/redisstore"
	"tokenserver/store/sqlstore"
)

// openSQL opens the SQL store as it is; see ensureSchema.
func (p *program) openSQL(ctx context.Context, log *slog.Logger) (*sqlstore.Store, error) {
	c := &p.config
	if c.Store.DSN.Path() != "" {
		if err := c.makeDataDir(); err != nil {
			return nil, err
		}
	}
	return sqlstore.Open(ctx, sqlstore.Config{
		DSN: c.Store.DSN.Reveal(), MaxConns: c.Store.MaxConns, Silenced: c.Audit.codes(),
	}, log, p.now)
}

// codes returns the silenced codes as those of the catalogue.
func (a *AuditConfig) codes() []audit.Code {
	var codes []audit.Code
	for _, entry := range audit.Catalogue() {
		if slices.Contains(a.Silenced, string(entry.Code)) {
			codes = append(codes, entry.Code)
		}
	}
	return codes
}

// ensureSchema migrates when the configuration says so, and otherwise refuses an older schema.
func (c *Config) ensureSchema(ctx context.Context, s *sqlstore.Store) error {
	if c.Store.Migrate == MigrateAlways || (c.Store.Migrate == MigrateAuto && c.Store.DSN.SQLite()) {
		_, err := s.Migrate(ctx)
		return err
	}
	_, _, err := s.CheckSchema(ctx)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: run tokenserver migrate up, or set store.migrate to always", err)
	}
	return err
}

// redisConfig says where Redis is.
func (c *Config) redisConfig() redisstore.Config {
	return redisstore.Config{
		Addrs: c.Redis.Addrs, MasterName: c.Redis.MasterName, Username: c.Redis.Username,
		Password: c.Redis.Password.Reveal(), Database: c.Redis.Database, TLS: c.Redis.TLS,
	}
}

// checkEviction refuses a Redis that throws transactions away when its memory is full.
func (c *Config) checkEviction(policy string) error {
	if policy == "" || policy == "noeviction" || c.Redis.ForceEvictionPolicy {
		return nil
	}
	return fmt.Errorf("redis: maxmemory-policy is %s: set it to noeviction, or transactions get lost when memory is full (redis.force_eviction_policy overrides)", policy)
}

// settingsRules is what the configuration asks of settings.
func (c *Config) settingsRules() settings.Rules {
	return settings.Rules{
		Production:         c.Environment == Production,
		AllowHTTPCallbacks: c.MobileAuth.AllowHTTPCallbacks,
		MaxMessageLength:   c.MobileAuth.MaxMessageLength,
		TemplateSets:       pages.SetNames(c.Pages.TemplateSets),
	}
}

// openPages reads the pages and the template sets.
func (c *Config) openPages() (*pages.Pages, error) {
	set, err := pages.Open(c.Issuer(), c.Pages.TemplateSets)
	if err != nil {
		return nil, fmt.Errorf("pages.template_sets: %w", err)
	}
	return set, nil
}

// settingsService connects the settings with their stores. redis may be nil: other processes then learn of changes by
// polling alone. revoked is what this process knows to be revoked.
func (p *program) settingsService(sql *sqlstore.Store, redis *redisstore.Store, revoked *token.Revocations, keys *secret.Keys, log *slog.Logger) *settings.Service {
	s := &settings.Service{
		Documents: sql, Accounts: sql, Installations: sql, Keys: keys, Audit: &audit.Recorder{Now: p.now}, Now: p.now,
		Log: log, Rules: p.config.settingsRules(),
		Tokens: &token.Service{Families: sql, Revocations: revoked, Now: p.now}, // as much of it as ends the tokens of a user
	}
	if redis != nil {
		s.Hints = redis
	}
	return s
}

// revocations is where commands that run beside the server add theirs. redis may be nil.
func (p *program) revocations(sql *sqlstore.Store, redis *redisstore.Store) *token.Revocations {
	r := &token.Revocations{Store: sql, Hints: noHints{}, Now: p.now}
	if redis != nil {
		r.Hints = redis
	}
	return r
}

// noHints stands for a Redis that is not there: other processes notice by polling.
type noHints struct{}

func (noHints) Hint(context.Context, string) error { return nil }

func (noHints) Hints(context.Context, string) <-chan struct{} { return nil }

// openSettings is settingsService for commands that run beside the server. end closes what it opened.
func (p *program) openSettings(ctx context.Context) (s *settings.Service, end func(), err error) {
	log := p.log()
	keys, made, err := p.config.OpenKeys()
	if err != nil {
		return nil, nil, err
	}
	if made {
		log.InfoContext(ctx, "made an encryption key: keep it safe", "data_dir", p.config.DataDir)
	}
	sql, err := p.openSQL(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	end = func() { _ = sql.Close() } // what was written is committed
	if err := p.config.ensureSchema(ctx, sql); err != nil {
		end()
		return nil, nil, err
	}
	var redis *redisstore.Store
	if len(p.config.Redis.Addrs) > 0 {
		if redis, err = redisstore.Open(ctx, p.config.redisConfig(), p.now); err != nil {
			log.WarnContext(ctx, "running servers will notice the change by polling", "error", err)
			redis = nil
		}
	}
	closeSQL := end
	end = func() {
		if redis != nil {
			_ = redis.Close()
		}
		closeSQL()
	}
	s = p.settingsService(sql, redis, p.revocations(sql, redis), keys, log)
	if err := s.Load(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}
