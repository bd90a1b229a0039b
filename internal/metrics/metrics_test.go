package metrics_test

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/metrics"
	"tokenserver/internal/web"
)

func TestScrapeShowsWhatWasCounted(t *testing.T) {
	m := metrics.New("v1")
	m.SQLPool(func() sql.DBStats { return sql.DBStats{OpenConnections: 3} })
	m.Request(web.Observation{
		Route: "/oauth/token", Method: "POST", Status: 200, Elapsed: time.Millisecond,
		Codes: []audit.Code{audit.TokenRequestAccessTokenCreated},
	})
	m.Request(web.Observation{Method: "GET", Status: 404})
	m.AuditCommit(7, time.Millisecond)
	m.Push("apns", "accepted", time.Millisecond)
	m.Job("pushauth.callback", "done")

	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`tokenserver_request_seconds_count{method="POST",route="/oauth/token",status="200"} 1`,
		`tokenserver_request_seconds_count{method="GET",route="unknown",status="404"} 1`,
		`tokenserver_outcomes_total{code="TOKEN_REQUEST_ACCESS_TOKEN_CREATED"} 1`,
		`tokenserver_audit_batch_events_sum 7`,
		`tokenserver_push_seconds_count{gateway="apns",result="accepted"} 1`,
		`tokenserver_job_runs_total{kind="pushauth.callback",result="done"} 1`,
		`tokenserver_sql_connections_open 3`,
		`tokenserver_build_info{version="v1"} 1`,
	} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}
