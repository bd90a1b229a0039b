package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/testenv"
	"tokenserver/store/sqlstore"
)

// measure runs every scenario on one deployment.
func measure(ctx context.Context, o options, stores string, out io.Writer) (map[string]Figures, error) {
	d, err := deploy(ctx, o, stores)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	pid := d.server.Process.Pid
	figures := map[string]Figures{}
	printHeader(out)
	var floor float64
	if d.redisAddr != "" {
		f, err := measureFloor(ctx, o, d)
		if err != nil {
			return nil, err
		}
		floor, f.ToFloor = f.CPU, 1
		figures["floor"] = f
		f.print(out, "floor (echo, SET + GET)")
	}
	for _, s := range selected(o.only) {
		jobs, err := workersOf(ctx, d, s, o.concurrency)
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", s.name, err)
		}
		n := max(o.requests/s.share, o.concurrency)
		if warm := load(ctx, jobs, n/10); warm.first != nil { // caches, pools, prepared statements
			return nil, fmt.Errorf("%s: %w", s.name, warm.first)
		}
		profiled := d.profile(ctx, o.profiles, stores+"-"+s.name)
		server, beside := cpuOf(pid, false), d.storesCPU()
		l := load(ctx, jobs, n)
		f := figuresOf(l, cpuOf(pid, false)-server, d.storesCPU()-beside, o.concurrency)
		if floor > 0 {
			f.ToFloor = f.CPU / floor
		}
		if stores == "postgres" {
			f.Must, f.Aim = s.must, s.aim
		}
		if err := profiled(); err != nil {
			return nil, err
		}
		figures[s.name] = f
		f.print(out, s.name)
		if l.first != nil {
			fmt.Fprintf(out, "    first error: %v\n", l.first)
		}
	}
	return figures, ctx.Err()
}

// profile begins a CPU profile of the server; the function that it returns waits for its end.
func (d *deployment) profile(ctx context.Context, dir, name string) (wait func() error) {
	if dir == "" {
		return func() error { return nil }
	}
	const seconds = "3"
	result := make(chan error, 1)
	go func() {
		result <- func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.operations+"/debug/pprof/profile?seconds="+seconds, http.NoBody)
			if err != nil {
				return err
			}
			answer, err := d.client.Do(request)
			if err != nil {
				return err
			}
			defer func() { _ = answer.Body.Close() }()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				return err
			}
			return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".pprof"), text, 0o644))
		}()
	}()
	return func() error { return <-result }
}

func measureFloor(ctx context.Context, o options, d *deployment) (Figures, error) {
	address, pid, stop, err := startFloor(ctx, d.redisAddr)
	if err != nil {
		return Figures{}, err
	}
	defer stop()
	work := func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", strings.NewReader("a=b"))
		if err != nil {
			return err
		}
		answer, err := d.client.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err == nil && string(body) != `{"value":"value"}` {
			return fmt.Errorf("floor: %d %s", answer.StatusCode, body)
		}
		return err
	}
	jobs := make([]job, o.concurrency)
	for i := range jobs {
		jobs[i] = work
	}
	if warm := load(ctx, jobs, o.requests/10); warm.first != nil {
		return Figures{}, warm.first
	}
	server, beside := cpuOf(pid, false), d.storesCPU()
	l := load(ctx, jobs, o.requests)
	return figuresOf(l, cpuOf(pid, false)-server, d.storesCPU()-beside, o.concurrency), nil
}

// auditThroughput hands events to the group commit from 32 producers, as concurrent requests do.
func auditThroughput(ctx context.Context, o options, out io.Writer) (map[string]float64, error) {
	if !strings.Contains("audit_events", o.only) {
		return nil, nil
	}
	const producers, total = 32, 200_000
	fmt.Fprintf(out, "\naudit events, in process, %d producers of one event each time\n", producers)
	result := map[string]float64{}
	for _, stores := range strings.Split(o.stores, ",") {
		rate, err := produce(ctx, stores, producers, total)
		if err != nil {
			return nil, err
		}
		result[stores] = rate
		fmt.Fprintf(out, "  %-28s %8.0f /s   must 17500 aim 25000 (PostgreSQL)\n", stores, rate)
	}
	return result, nil
}

func produce(ctx context.Context, stores string, producers, total int) (float64, error) {
	dir, err := os.MkdirTemp("", "tokenserver-bench-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	dsn := "sqlite:" + filepath.Join(dir, "audit.db")
	if stores == "postgres" {
		server, err := testenv.StartPostgres(testenv.PostgresOptions{}) //nolint:contextcheck // it outlives no context: Stop ends it
		if err != nil {
			return 0, err
		}
		defer server.Stop()
		if dsn, err = server.CreateDatabase(ctx, "audit"); err != nil {
			return 0, err
		}
	}
	s, err := sqlstore.Open(ctx, sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Migrate(ctx); err != nil {
		return 0, err
	}
	recorder := &audit.Recorder{Now: time.Now}
	var wait sync.WaitGroup
	failures := make(chan error, producers)
	began := time.Now()
	for range producers {
		wait.Go(func() {
			for range total / producers {
				trail := audit.NewTrail(audit.Origin{ClientIP: "192.0.2.1", UserAgent: "bench/1", TransactionID: "4c2f6c3e-bench"})
				recorder.Record(audit.WithTrail(ctx, trail), audit.TokenRequestAccessTokenCreated, audit.Client("machine"), audit.Detail("grant", "client_credentials"))
				if err := s.CommitEvents(ctx, trail.Pending()); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	if err := <-failures; err != nil {
		return 0, err
	}
	return float64(total) / time.Since(began).Seconds(), nil
}
