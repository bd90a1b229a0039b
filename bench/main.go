// Command bench measures the built server under load: throughput, latency percentiles, and CPU for each request of
// the server and of its stores. Every answer is checked, so that errors cannot pass as speed. It starts what it needs
// (PostgreSQL, Redis, the server, the vendor stand-ins), measures a floor server in the same run, because absolute
// figures do not carry from machine to machine, and writes build/bench.json.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	requests    int
	concurrency int
	only        string
	stores      string
	out         string
	binary      string
	profiles    string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.requests, "requests", 6000, "requests of each scenario; a push journey counts as one and gets a tenth")
	flags.IntVar(&o.concurrency, "concurrency", 8, "workers")
	flags.StringVar(&o.only, "only", "", "run only scenarios whose name contains this")
	flags.StringVar(&o.stores, "stores", "postgres,embedded", "deployments to measure")
	flags.StringVar(&o.out, "out", "build/bench.json", "where the figures go")
	flags.StringVar(&o.binary, "binary", envOr("TOKENSERVER_BIN", "bin/tokenserver"), "the server")
	flags.StringVar(&o.profiles, "profiles", "", "folder for a CPU profile of the server under each scenario; empty: none")
	floor := flags.String("serve-floor", "", "internal: serve as the floor server on this Redis address")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *floor != "" {
		return serveFloor(ctx, *floor, out)
	}
	report := Report{Environment: environment(ctx, o), Deployments: map[string]map[string]Figures{}}
	rest, err := atRest(ctx, o)
	if err != nil {
		return fmt.Errorf("at rest: %w", err)
	}
	report.AtRest = rest
	fmt.Fprintf(out, "\nat rest, embedded defaults: %.1f MiB resident, ready in %.0f ms, binary %.1f MB (must 48 MiB, 150 ms, 60 MB)\n",
		rest.ResidentMiB, rest.ReadyMillis, rest.BinaryMB)
	for _, stores := range strings.Split(o.stores, ",") {
		if len(selected(o.only)) == 0 {
			break
		}
		fmt.Fprintf(out, "\n%s\n", stores)
		figures, err := measure(ctx, o, stores, out)
		if err != nil {
			return fmt.Errorf("%s: %w", stores, err)
		}
		report.Deployments[stores] = figures
	}
	if events, err := auditThroughput(ctx, o, out); err != nil {
		return fmt.Errorf("audit events: %w", err)
	} else if events != nil {
		report.AuditEvents = events
	}
	report.Scenarios = report.Deployments["postgres"]
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll("build", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(o.out, append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nwritten: %s\n", o.out)
	return nil
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// patience bounds everything that is waited for.
const patience = 60 * time.Second
