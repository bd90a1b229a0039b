// Package metrics is what operators see of the running server: requests and their latency by route, outcomes by audit
// code, push gateways, jobs, the group commit of audit events, and the pools of both stores. Prometheus text format at
// /metrics of the operations listener. Labels are bounded: routes are patterns, codes are of the catalogue.
package metrics

import (
	"database/sql"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tokenserver/internal/web"
)

// Metrics holds the instruments of one server.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	outcomes *prometheus.CounterVec
	batches  prometheus.Histogram
	commits  prometheus.Histogram
	pushes   *prometheus.HistogramVec
	texts    *prometheus.HistogramVec
	jobs     *prometheus.CounterVec
}

// New registers the instruments together with those of the Go runtime and the process.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tokenserver_request_seconds", Help: "Time to answer a request, by route pattern, method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route", "method", "status"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokenserver_outcomes_total", Help: "Outcomes by audit code.",
		}, []string{"code"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tokenserver_audit_batch_events", Help: "Events in one group commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tokenserver_audit_commit_seconds", Help: "Time of one group commit of audit events.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5},
		}),
		pushes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tokenserver_push_seconds", Help: "Time until a push gateway answered, by gateway and result.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"gateway", "result"}),
		texts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tokenserver_sms_seconds", Help: "Time until an SMS gateway answered, by gateway and result.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"gateway", "result"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tokenserver_job_runs_total", Help: "Runs of background jobs, by kind and result.",
		}, []string{"kind", "result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tokenserver_build_info", Help: "1; the label names the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.outcomes, m.batches, m.commits, m.pushes, m.texts, m.jobs, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts one answered request. Unknown paths share one route, so that a scanner cannot make series.
func (m *Metrics) Request(o web.Observation) {
	route := o.Route
	if route == "" {
		route = "unknown"
	}
	m.requests.WithLabelValues(route, o.Method, strconv.Itoa(o.Status)).Observe(o.Elapsed.Seconds())
	for _, code := range o.Codes {
		m.outcomes.WithLabelValues(string(code)).Inc()
	}
}

// AuditCommit counts one group commit.
func (m *Metrics) AuditCommit(events int, elapsed time.Duration) {
	m.batches.Observe(float64(events))
	m.commits.Observe(elapsed.Seconds())
}

// Push counts one answer of a push gateway; result is "accepted", or the class of the failure.
func (m *Metrics) Push(gateway, result string, elapsed time.Duration) {
	m.pushes.WithLabelValues(gateway, result).Observe(elapsed.Seconds())
}

// Text counts one try of a text message; result is "sent", or the class of the failure.
func (m *Metrics) Text(gateway, result string, elapsed time.Duration) {
	m.texts.WithLabelValues(gateway, result).Observe(elapsed.Seconds())
}

// Job counts one run of a background job; result is "done", "retry" or "dead".
func (m *Metrics) Job(kind, result string) { m.jobs.WithLabelValues(kind, result).Inc() }

// Gauge registers a value that is read at each scrape, for example the length of the job queue.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tokenserver_" + name, Help: help}, read))
}

// SQLPool registers the connection pool of the SQL store.
func (m *Metrics) SQLPool(stats func() sql.DBStats) {
	m.Gauge("sql_connections_open", "Open connections to the SQL store.", func() float64 { return float64(stats().OpenConnections) })
	m.Gauge("sql_connections_in_use", "Connections to the SQL store in use.", func() float64 { return float64(stats().InUse) })
	m.Gauge("sql_wait_seconds", "Total time that requests waited for a connection to the SQL store.",
		func() float64 { return stats().WaitDuration.Seconds() })
}
