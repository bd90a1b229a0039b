package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// health answers the probes of the operations listener.
type health struct {
	ready  atomic.Bool
	checks map[string]func(context.Context) error
}

// probeTimeout is how long a store may take to answer a probe.
const probeTimeout = 2 * time.Second

// live: the process answers at all. Restart it when it does not.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_, _ = w.Write([]byte(`{"status":"live"}`)) // the prober hung up: nobody is left to tell
}

// readiness: send requests here. Both stores answer, the settings are loaded, and no stop has begun.
func (h *health) readiness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	status := struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}{"ready", map[string]string{}}
	if !h.ready.Load() {
		status.Status = "not ready"
	}
	for name, check := range h.checks {
		status.Checks[name] = "ok"
		if check(ctx) != nil {
			status.Status, status.Checks[name] = "not ready", "unreachable"
		}
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if status.Status != "ready" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(status); err != nil {
		return // the prober hung up
	}
}

// operations serves probes, metrics and profiles (net/http/pprof). The listener belongs behind a firewall.
func operations(h *health, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", h.live)
	mux.HandleFunc("GET /health/ready", h.readiness)
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
