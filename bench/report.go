package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is build/bench.json.
type Report struct {
	Environment Environment                   `json:"environment"`
	Scenarios   map[string]Figures            `json:"scenarios"` // of PostgreSQL and Redis
	Deployments map[string]map[string]Figures `json:"deployments"`
	AuditEvents map[string]float64            `json:"audit_events_per_second,omitempty"` // 32 producers, in process, by store
	AtRest      AtRest                        `json:"at_rest"`
}

// Environment says what the figures were measured on.
type Environment struct {
	Cores       int    `json:"cores"`
	Go          string `json:"go"`
	OS          string `json:"os"`
	Redis       string `json:"redis"`
	PostgreSQL  string `json:"postgresql"`
	Server      string `json:"server"`
	Concurrency int    `json:"concurrency"`
	Time        string `json:"time"`
}

// AtRest is the server on embedded defaults before any load.
type AtRest struct {
	ResidentMiB float64 `json:"resident_mib"`
	ReadyMillis float64 `json:"ready_ms"`
	BinaryMB    float64 `json:"binary_mb"`
}

// Figures are those of one scenario. CPU is user and system time of the server and of its stores, for each request.
type Figures struct {
	Requests    int     `json:"requests"`
	Concurrency int     `json:"concurrency"`
	RPS         float64 `json:"rps"`
	P50         float64 `json:"p50_ms"`
	P95         float64 `json:"p95_ms"`
	P99         float64 `json:"p99_ms"`
	Errors      int     `json:"errors"`
	CPU         float64 `json:"server_cpu_ms_per_request"` // server and stores
	ServerOnly  float64 `json:"server_process_cpu_ms_per_request"`
	StoresOnly  float64 `json:"stores_cpu_ms_per_request"`
	ToFloor     float64 `json:"ratio_to_floor,omitempty"` // CPU against the floor server's of the same run
	Must        float64 `json:"must,omitempty"`           // the target, where there is one
	Aim         float64 `json:"aim,omitempty"`
}

func environment(ctx context.Context, o options) Environment {
	return Environment{
		Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Redis: version(ctx, "redis-server", "--version"), PostgreSQL: version(ctx, "psql", "--version"),
		Server: version(ctx, o.binary, "version"), Concurrency: o.concurrency, Time: time.Now().UTC().Format(time.RFC3339),
	}
}

func version(ctx context.Context, command ...string) string {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

// figuresOf sums up one scenario.
func figuresOf(l loaded, server, stores time.Duration, concurrency int) Figures {
	slices.Sort(l.latencies)
	n := len(l.latencies)
	at := func(share float64) float64 {
		if n == 0 {
			return 0
		}
		return millis(l.latencies[min(n-1, int(share*float64(n)))])
	}
	each := func(d time.Duration) float64 { return millis(d) / float64(max(n, 1)) }
	return Figures{
		Requests: n, Concurrency: concurrency, RPS: float64(n) / l.elapsed.Seconds(), P50: at(.5), P95: at(.95), P99: at(.99),
		Errors: l.failed, CPU: each(server + stores), ServerOnly: each(server), StoresOnly: each(stores),
	}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printHeader(out io.Writer) {
	fmt.Fprintf(out, "  %-28s %8s %8s %8s %8s %8s %8s %8s %8s %7s\n",
		"scenario", "rps", "p50 ms", "p95 ms", "p99 ms", "errors", "cpu ms", "server", "stores", "floor×")
}

func (f Figures) print(out io.Writer, name string) {
	fmt.Fprintf(out, "  %-28s %8.0f %8.2f %8.2f %8.2f %8d %8.3f %8.3f %8.3f %7.1f", name, f.RPS, f.P50, f.P95, f.P99, f.Errors,
		f.CPU, f.ServerOnly, f.StoresOnly, f.ToFloor)
	if f.Must > 0 {
		fmt.Fprintf(out, "   must %.2f aim %.2f", f.Must, f.Aim)
	}
	fmt.Fprintln(out)
}

func fileMB(path string) float64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return float64(info.Size()) / 1e6
}
