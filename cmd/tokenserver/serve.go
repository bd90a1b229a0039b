package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"tokenserver/audit"
	"tokenserver/internal/keys"
	"tokenserver/store"
)

// drainTimeout is how long a stop waits for requests under way.
const drainTimeout = 20 * time.Second

func (p *program) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the server (what tokenserver does when it is told nothing)", Args: noArgs,
		Long: `serve runs one process of the server until it gets SIGINT or SIGTERM; then it takes no more requests,
finishes those under way, seals the audit log and ends.

Three listeners: the public one serves everything under /oauth; operations serves /health/live,
/health/ready and /metrics and belongs behind a firewall.`,
		Example: `  tokenserver serve
  tokenserver serve --config /etc/tokenserver/config.yaml
  TOKENSERVER_STORE_DSN=postgres://… TOKENSERVER_REDIS_ADDRS=redis:6379 tokenserver serve`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.openServer(cmd.Context(), p.log())
			if err != nil {
				return err
			}
			s.banner(cmd.Context())
			return s.run(cmd.Context())
		},
	}
}

// banner says where everything is, and what the embedded stores mean.
func (s *server) banner(ctx context.Context) {
	s.log.InfoContext(ctx, "tokenserver starts", "version", version, "instance", s.instance, "issuer", s.config.Issuer(),
		"public", s.public.address(), "operations", s.operations.address(), "sql", s.config.Store.DSN.String())
	if s.redis.Embedded() {
		s.log.WarnContext(ctx, "transaction state is kept in this process: a restart forgets sign-ins in progress, codes, opaque "+
			"access tokens and open authentications; installations, refresh tokens, enrollments and the audit log stay. "+
			"Set redis.addrs for more than trying out")
	}
}

// run serves until ctx ends or a listener breaks: not ready, drain, finish, seal, close.
func (s *server) run(ctx context.Context) error {
	const sources = 4
	failed := make(chan error, sources)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wait sync.WaitGroup
	for _, work := range []func(context.Context){
		s.settings.Watch,
		func(ctx context.Context) { s.keepState(ctx, failed) },
		func(ctx context.Context) {
			s.revocations.Run(ctx, func(err error) { s.log.ErrorContext(ctx, "revocations not read", "error", err) })
		},
		s.jobs.Run,
		s.sealer.Run,
		s.refreshKeys,
		s.sweep,
	} {
		wait.Go(func() { work(background) })
	}
	go s.operations.serve(failed)
	go s.public.serve(failed)
	s.health.ready.Store(true)

	var broken error
	select {
	case <-ctx.Done():
	case broken = <-failed:
	}
	s.health.ready.Store(false)
	s.log.InfoContext(background, "tokenserver stops")
	draining, cancel := context.WithTimeout(background, drainTimeout)
	defer cancel()
	err := s.public.drain(draining)
	stop()
	wait.Wait() // the sealer seals what the last requests wrote
	last, done := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer done()
	if s.redis.Embedded() {
		err = errors.Join(err, s.sql.DropLease(last, stateLease, s.stateHolder()))
	}
	if err = errors.Join(broken, err, s.close()); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// refreshKeys notices keys that another process has rotated, and rotates keys that have signed for long enough: of all
// processes that try, one does.
func (s *server) refreshKeys(ctx context.Context) {
	const every = 30 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			err := s.ring.Refresh(ctx)
			signed := s.now().Sub(s.ring.Since())
			if interval := s.settings.Current().KeyRotation(); err == nil && interval > 0 && signed >= interval {
				err = s.rotateKeys(ctx, max(interval, keys.Settled))
			}
			if err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "signing keys not brought up to date", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// rotateKeys rotates keys that have signed for the interval.
func (s *server) rotateKeys(ctx context.Context, interval time.Duration) error {
	ctx = audit.WithTrail(ctx, audit.NewTrail(audit.Origin{Instance: s.instance}))
	err := s.sql.InTx(ctx, func(ctx context.Context) error {
		s.recorder.Record(ctx, audit.JWTKeysRotated, audit.Reason("schedule"))
		return s.ring.Rotate(ctx, interval)
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, keys.ErrTooSoon) {
		return nil // another process was faster
	}
	return err
}

// sweep deletes now and then what has served.
func (s *server) sweep(ctx context.Context) {
	const every = 10 * time.Minute
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n, err := s.sql.Sweep(ctx, s.now())
			if err != nil && ctx.Err() == nil {
				s.log.ErrorContext(ctx, "old rows not swept", "error", err)
			} else if n > 0 {
				s.log.InfoContext(ctx, "old rows swept", "rows", n)
			}
		case <-ctx.Done():
			return
		}
	}
}
