package web_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// shell returns a server whose committed events are collected; commit may refuse.
func shell(t *testing.T, commit func([]audit.Event) error) (*web.Shell, *echo.Echo) {
	t.Helper()
	s := &web.Shell{
		Audit: &audit.Recorder{Now: time.Now},
		Commit: func(_ context.Context, events []audit.Event) error {
			return commit(events)
		},
		Log: slog.New(slog.DiscardHandler), Now: time.Now, NewID: func() string { return "made-here" },
		Instance: "one", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, TransactionHeader: "X-Transaction-Id",
	}
	return s, s.New()
}

func TestEndings(t *testing.T) {
	refusal := outcome.Failure{Code: outcome.InvalidGrant, Text: "no", Audit: audit.TokenRequestInvalidGrant}
	for _, tc := range []struct {
		name   string
		err    error
		status int
		body   string
		audit  []audit.Code
	}{
		{name: "success", status: 200, body: `{"ok":true}`, audit: []audit.Code{audit.ConsentGiven}},
		{
			name: "failure", err: refusal.With("remaining_attempts", 2), status: 400,
			body:  `{"error":"invalid_grant","error_description":"no","remaining_attempts":2}`,
			audit: []audit.Code{audit.ConsentGiven, audit.TokenRequestInvalidGrant},
		},
		{
			name: "failure with a number", status: 404,
			err:   outcome.Failure{Code: outcome.NotFound, Number: 1001, Text: "nobody", Audit: audit.PushAuthInitFailure},
			body:  `{"error_code":"1001","description":"nobody","error":"not_found","error_description":"nobody"}`,
			audit: []audit.Code{audit.ConsentGiven, audit.PushAuthInitFailure},
		},
		{
			name: "fault of ours", err: errors.New("secret cause"), status: 500,
			body:  `{"error":"server_error","error_description":"the server made a mistake; it has been logged"}`,
			audit: []audit.Code{audit.ConsentGiven},
		},
		{
			name: "store away", err: errors.Join(store.ErrUnavailable, errors.New("dial")), status: 503,
			body:  `{"error":"temporarily_unavailable","error_description":"the server cannot work right now, try again shortly"}`,
			audit: []audit.Code{audit.ConsentGiven},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var codes []audit.Code
			s, e := shell(t, func(events []audit.Event) error {
				for _, event := range events {
					codes = append(codes, event.Code)
				}
				return nil
			})
			e.GET("/x", func(c echo.Context) error {
				s.Audit.Record(c.Request().Context(), audit.ConsentGiven)
				if tc.err != nil {
					return tc.err
				}
				return web.JSONBytes(c, http.StatusOK, []byte(`{"ok":true}`))
			})
			answer := httptest.NewRecorder()
			e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/x", nil))
			if answer.Code != tc.status || answer.Body.String() != tc.body {
				t.Errorf("answer %d %s\nwant   %d %s", answer.Code, answer.Body, tc.status, tc.body)
			}
			if !slices.Equal(codes, tc.audit) {
				t.Errorf("audit %v, want %v", codes, tc.audit)
			}
			if answer.Header().Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
		})
	}
}

func TestNothingIsSentUnrecorded(t *testing.T) {
	s, e := shell(t, func([]audit.Event) error { return errors.New("disk full") })
	e.GET("/x", func(c echo.Context) error {
		s.Audit.Record(c.Request().Context(), audit.TokenRequestAccessTokenCreated)
		c.Response().Header().Set("X-Secret", "token")
		return web.JSONBytes(c, http.StatusOK, []byte(`{"access_token":"A"}`))
	})
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/x", nil))
	if answer.Code != http.StatusServiceUnavailable || strings.Contains(answer.Body.String(), "access_token") || answer.Header().Get("X-Secret") != "" {
		t.Fatalf("answer %d %v %s: part of the unrecorded answer got out", answer.Code, answer.Header(), answer.Body)
	}
}

func TestRoutingAndPanics(t *testing.T) {
	_, e := shell(t, func([]audit.Event) error { t.Error("an event was written"); return nil })
	e.POST("/x", func(echo.Context) error { panic("boom") })
	for _, tc := range []struct {
		method, path string
		status       int
	}{{"GET", "/nowhere", 404}, {"GET", "/x", 405}, {"POST", "/x", 500}} {
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, httptest.NewRequest(tc.method, tc.path, nil))
		if answer.Code != tc.status || strings.Contains(answer.Body.String(), "boom") {
			t.Errorf("%s %s: %d %s, want %d", tc.method, tc.path, answer.Code, answer.Body, tc.status)
		}
	}
}

func TestOriginOfEvents(t *testing.T) {
	for _, tc := range []struct {
		name, peer, forwarded, ip string
	}{
		{"direct", "192.0.2.7:1", "", "192.0.2.7"},
		{"a forged header from outside", "192.0.2.7:1", "203.0.113.1", "192.0.2.7"},
		{"one proxy", "10.0.0.1:1", "203.0.113.1", "203.0.113.1"},
		{"forged hop before a proxy", "10.0.0.1:1", "198.51.100.9, 203.0.113.1, 10.0.0.2", "203.0.113.1"},
		{"garbage from a proxy", "10.0.0.1:1", "junk", "10.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got audit.Event
			s, e := shell(t, func(events []audit.Event) error { got = events[0]; return nil })
			e.GET("/x", func(c echo.Context) error {
				audit.Know(c.Request().Context(), audit.Client("c1"))
				s.Audit.Record(c.Request().Context(), audit.ConsentGiven)
				return c.NoContent(http.StatusNoContent)
			})
			r := httptest.NewRequest(http.MethodGet, "/x", nil)
			r.RemoteAddr = tc.peer
			r.Header.Set("X-Forwarded-For", tc.forwarded)
			r.Header.Set("X-Transaction-Id", "from-proxy")
			e.ServeHTTP(httptest.NewRecorder(), r)
			if got.ClientIP != tc.ip || got.TransactionID != "from-proxy" || got.ClientID != "c1" || got.Instance != "one" {
				t.Errorf("event %+v, want address %s", got, tc.ip)
			}
		})
	}
}

func TestDecodeJSON(t *testing.T) {
	for _, tc := range []struct {
		body string
		want error
	}{
		{`{"a":"1","b":{"a":2}}`, nil},
		{`{"a":"1","a":"2"}`, web.ErrRepeated},
		{`{"a":"1","b":{"c":1,"c":2}}`, web.ErrRepeated},
		{`{"unknown":1}`, web.ErrMalformed},
		{`{"a":"1"} {}`, web.ErrMalformed},
		{`[1]`, web.ErrMalformed},
		{``, web.ErrMalformed},
		{`{"a":`, web.ErrMalformed},
		{`{"b":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 101), web.ErrMalformed},
	} {
		var target struct {
			A string         `json:"a"`
			B map[string]any `json:"b"`
		}
		if err := web.DecodeJSON([]byte(tc.body), &target); !errors.Is(err, tc.want) {
			t.Errorf("%.40s: %v, want %v", tc.body, err, tc.want)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,{"c":null}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var target map[string]any
		if web.DecodeJSON(body, &target) == nil && target == nil {
			t.Errorf("%q decodes to nothing", body)
		}
	})
}

func TestParseForm(t *testing.T) {
	form, err := web.ParseForm("a=1&b=&c=x+y")
	if err != nil || form["a"] != "1" || form["c"] != "x y" {
		t.Errorf("form %v, %v", form, err)
	}
	if _, present := form["b"]; present {
		t.Error("an empty parameter counts as present")
	}
	if _, err := web.ParseForm("a=1&a=1"); !errors.Is(err, web.ErrRepeated) {
		t.Errorf("repeated: %v", err)
	}
	if _, err := web.ParseForm("a=%zz"); !errors.Is(err, web.ErrMalformed) {
		t.Errorf("malformed: %v", err)
	}
	for _, encoded := range []string{"a=%00", "a=x%ffy", "%00=a", "a=%c3"} {
		if _, err := web.ParseForm(encoded); !errors.Is(err, web.ErrMalformed) {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

func TestBasicCredentials(t *testing.T) {
	for _, tc := range []struct {
		header, id, password string
		present              bool
	}{
		{"", "", "", false},
		{"Bearer x", "", "", false},
		{"Basic YTpi", "a", "b", true},
		{"basic YSUyMGI6YyUzQWQ=", "a b", "c:d", true},
		{"Basic %%%", "", "", true},
		{"Basic YQ==", "a", "", true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", tc.header)
		id, password, present := web.BasicCredentials(r)
		if id != tc.id || password != tc.password || present != tc.present {
			t.Errorf("%q: %q %q %v", tc.header, id, password, present)
		}
	}
}

// purse counts what was spent.
type purse struct {
	spent []string
	empty bool
}

func (p *purse) Exhausted(context.Context, string) bool  { return p.empty }
func (p *purse) Spend(_ context.Context, address string) { p.spent = append(p.spent, address) }

// TestBudget: what fails and leaves an event costs something, unless the caller has proved who it is.
func TestBudget(t *testing.T) {
	silent := outcome.Failure{Code: outcome.InvalidRequest, Text: "no"}
	told := outcome.Failure{Code: outcome.InvalidRequest, Text: "no", Audit: audit.AuthzRequestInvalid}
	for _, tc := range []struct {
		name   string
		serve  func(ctx context.Context) error
		empty  bool
		status int
		spent  int
	}{
		{name: "success", serve: func(context.Context) error { return nil }, status: 200},
		{name: "failure with an event", serve: func(context.Context) error { return told }, status: 400, spent: 1},
		{name: "failure without", serve: func(context.Context) error { return silent }, status: 400},
		{name: "wrong credentials", serve: func(context.Context) error {
			return outcome.Failure{Code: outcome.InvalidClient, Text: "no", Audit: audit.TokenRequestInvalidClientCredentials}
		}, status: 401, spent: 1},
		{name: "a client that is only named", serve: func(ctx context.Context) error {
			audit.Know(ctx, audit.Client("c"), audit.User("u"))
			return told
		}, status: 400, spent: 1},
		{name: "a client that has proved itself", serve: func(ctx context.Context) error {
			audit.Admit(ctx, audit.Client("c"))
			return told
		}, status: 400},
		{name: "a fault of ours", serve: func(context.Context) error { return errors.New("fault") }, status: 500},
		{name: "nothing left", serve: func(context.Context) error { return told }, empty: true, status: 429},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, e := shell(t, func([]audit.Event) error { return nil })
			p := &purse{empty: tc.empty}
			s.Budget = p
			e.GET("/", func(c echo.Context) error {
				if err := tc.serve(c.Request().Context()); err != nil {
					return err
				}
				return c.NoContent(http.StatusOK)
			})
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != tc.status || len(p.spent) != tc.spent {
				t.Errorf("%d, spent %v; want %d, spent %d times", w.Code, p.spent, tc.status, tc.spent)
			}
		})
	}
}

// TestEveryPageIsGuarded: HTML that says nothing about itself may load nothing, and stays on https.
func TestEveryPageIsGuarded(t *testing.T) {
	env := audittest.New(t)
	h := env.Handler(func(g *echo.Group) {
		g.GET("/bare", func(c echo.Context) error { return c.HTML(http.StatusOK, "<p>x</p>") })
		g.GET("/own", func(c echo.Context) error {
			c.Response().Header().Set("Content-Security-Policy", "default-src 'self'")
			return c.HTML(http.StatusTeapot, "<p>x</p>")
		})
		g.GET("/json", func(c echo.Context) error { return c.JSON(http.StatusOK, "x") })
	})
	for path, want := range map[string][3]string{
		"/oauth/bare": {"max-age=31536000", "nosniff", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"},
		"/oauth/own":  {"max-age=31536000", "nosniff", "default-src 'self'"},
		"/oauth/json": {"", "", ""},
	} {
		header := audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: path}).Header
		got := [3]string{header.Get("Strict-Transport-Security"), header.Get("X-Content-Type-Options"), header.Get("Content-Security-Policy")}
		if got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
