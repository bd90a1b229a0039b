package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/jobs"
	"tokenserver/internal/keys"
	"tokenserver/internal/metrics"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/oauth/customregistration"
	"tokenserver/store/redisstore"
	"tokenserver/store/sqlstore"
)

// server is one process: both stores, everything that hangs on them, and the listeners.
type server struct {
	*program
	log      *slog.Logger
	instance string
	newID    func() string

	sql         *sqlstore.Store
	redis       *redisstore.Store
	keys        *secret.Keys
	recorder    *audit.Recorder
	settings    *settings.Service
	ring        *keys.Ring
	revocations *token.Revocations
	jobs        *jobs.Runner
	sealer      *audit.Sealer
	metrics     *metrics.Metrics
	health      *health

	public     *listener
	operations *listener
}

const (
	sealEvery  = 100 * time.Millisecond
	jobsEvery  = time.Second
	budgetName = "garbage"
)

// openServer opens the stores, brings the settings up to date and binds the listeners. Nothing is served before run.
func (p *program) openServer(ctx context.Context, log *slog.Logger) (_ *server, err error) {
	s := &server{program: p, log: log, newID: uuid.NewString, health: &health{}}
	s.instance = instanceName()
	s.recorder = &audit.Recorder{Now: s.now}
	s.metrics = metrics.New(version)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.keys, _, err = p.config.OpenKeys(); err != nil {
		return s, err
	}
	if err := s.openStores(ctx); err != nil {
		return s, err
	}
	if err := s.holdState(ctx); err != nil {
		return s, err
	}
	s.ring = p.ring(s.sql, s.keys)
	if err := s.ring.Load(ctx); err != nil {
		return s, fmt.Errorf("load the signing keys: %w", err)
	}
	s.revocations = &token.Revocations{Store: s.sql, Hints: s.redis, Now: s.now}
	if err := s.revocations.Load(ctx); err != nil {
		return s, fmt.Errorf("load the revocations: %w", err)
	}
	if err := s.loadSettings(ctx); err != nil {
		return s, err
	}
	s.sealer = &audit.Sealer{
		Store: s.sql, Sign: s.ring.Sign, Issuer: p.config.Issuer(), Holder: s.instance, Now: s.now, Log: log, Every: sealEvery,
		Checkpoint: p.config.Audit.CheckpointInterval,
	}
	s.watchPools(ctx)
	handler, err := s.assemble() //nolint:contextcheck // handlers take the context of their request
	if err != nil {
		return s, err
	}
	return s, s.bind(ctx, handler)
}

// instanceName tells this process from others in events and leases.
func instanceName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	const short = 8
	return host + "-" + uuid.NewString()[:short]
}

// shell is what every public request passes.
func (s *server) shell() *web.Shell {
	shell := &web.Shell{
		Audit: s.recorder, Commit: s.sql.CommitEvents, Log: s.log, Now: s.now, NewID: s.newID, Instance: s.instance,
		TrustedProxies: s.config.TrustedProxies, TransactionHeader: s.config.TransactionHeader, Observe: s.metrics.Request,
		BodyLimits: customregistration.BodyLimits(root), Secure: strings.HasPrefix(s.config.Issuer(), "https://"),
	}
	if limit := s.config.Limits.FailuresPerMinute; limit > 0 {
		shell.Budget = &ratelimit.Addresses{
			Limiter: &ratelimit.Limiter{Counts: s.redis, Name: budgetName, Limit: limit, Window: time.Minute, Now: s.now},
			Audit:   s.recorder,
		}
	}
	return shell
}

// bind opens the sockets.
func (s *server) bind(ctx context.Context, handler http.Handler) (err error) {
	if s.public, err = listen(ctx, "public", s.config.Listen.Public, handler, s.log); err != nil {
		return err
	}
	s.health.checks = map[string]func(context.Context) error{"sql": s.sql.Ping, "redis": s.redis.Ping}
	s.operations, err = listen(ctx, "operations", s.config.Listen.Operations, operations(s.health, s.metrics.Handler()), s.log)
	return err
}

// watchPools registers what is read at each scrape.
func (s *server) watchPools(ctx context.Context) {
	s.metrics.SQLPool(s.sql.Stats)
	s.sql.ObserveCommit = s.metrics.AuditCommit
	s.metrics.Gauge("redis_connections_open", "Open connections to Redis.", func() float64 { return float64(s.redis.PoolStats().TotalConns) })
	count := func(dead bool) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			waiting, buried, err := s.sql.CountJobs(ctx)
			switch {
			case err != nil:
				return -1
			case dead:
				return float64(buried)
			default:
				return float64(waiting)
			}
		}
	}
	s.metrics.Gauge("jobs_waiting", "Background jobs that wait for their next try; -1: the store does not answer.", count(false))
	s.metrics.Gauge("jobs_dead", "Background jobs that were given up; -1: the store does not answer.", count(true))
}

// close gives back everything that openServer took.
func (s *server) close() error {
	var errs []error
	for _, l := range []*listener{s.public, s.operations} {
		if l != nil {
			errs = append(errs, ignoreClosed(l.server.Close()), ignoreClosed(l.socket.Close()))
		}
	}
	if s.sql != nil {
		errs = append(errs, s.sql.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	return errors.Join(errs...)
}

// root is the path of everything public.
const root = "/oauth"

// group returns a group of everything public.
func group(e *echo.Echo) *echo.Group { return e.Group(root) }
