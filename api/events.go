package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
)

// Events serves the audit log: GET /oauth/api/v1/events, API scope onegini_api_events. Every field is required.
type Events struct {
	Log   eventLog
	Audit *audit.Recorder
}

// eventLog is what the events API needs of the store. It reads sealed events only, so that a page never changes.
type eventLog interface {
	SealedUpTo(ctx context.Context) (position int64, hash []byte, err error)
	Events(ctx context.Context, f audit.Filter, upTo int64, offset, limit int) ([]audit.Sealed, error)
	CountEvents(ctx context.Context, f audit.Filter, upTo int64) (int, error)
}

// Routes registers the events API on a group that has passed the API-client check.
func (h *Events) Routes(g *echo.Group) {
	g.GET("/events", h.list, web.RenderFailuresWith(apiFailure))
}

// How listing fails. It succeeds with 200 and API_EVENTS_LISTED.
var listBadQuery = outcome.Failure{Code: outcome.InvalidRequest, Text: "a query parameter is malformed or out of its range"}

const (
	defaultPageSize = 20
	largestPageSize = 1000
	visiblePages    = 5
)

// list answers one page of the log, newest first. The highest position is taken before this request's own events are
// written, so that the query does not find itself.
func (h *Events) list(c echo.Context) error {
	ctx := c.Request().Context()
	query, err := parseEventsQuery(c.Request().URL.Query())
	if err != nil {
		return listBadQuery.Because(err)
	}
	upTo, _, err := h.Log.SealedUpTo(ctx)
	if err != nil {
		return fmt.Errorf("read the sealer's position: %w", err)
	}
	total, err := h.Log.CountEvents(ctx, query.filter, upTo)
	if err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	events, err := h.Log.Events(ctx, query.filter, upTo, query.page*query.size, query.size)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	answer := eventsPage{ResultSet: make([]eventView, len(events)), Pagination: paginate(query.page, query.size, len(events), total)}
	for i := range events {
		answer.ResultSet[i] = viewOf(&events[i])
	}
	h.Audit.Record(ctx, audit.APIEventsListed, audit.Count("results", len(events)), audit.Count("page", query.page))
	return web.JSON(c, http.StatusOK, answer)
}

type eventsQuery struct {
	filter     audit.Filter
	page, size int
}

func parseEventsQuery(values url.Values) (eventsQuery, error) {
	q := eventsQuery{size: defaultPageSize}
	var errNumber error
	number := func(name string, least, most int64, fallback int64) int64 {
		text := values.Get(name)
		if text == "" {
			return fallback
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least || n > most {
			errNumber = fmt.Errorf("parameter %s is not a number from %d to %d", name, least, most)
		}
		return n
	}
	q.page = int(number("page", 0, math.MaxInt32, 0))
	q.size = int(number("size", 1, largestPageSize, defaultPageSize))
	start := number("start_date", 0, math.MaxInt64/1000, 0)
	end := number("end_date", 0, math.MaxInt64/1000, 0)
	q.filter = audit.Filter{
		UserID: values.Get("user_id"), ClientID: values.Get("client_id"), TransactionID: values.Get("transaction_id"),
		Codes: values["event_type"], Without: values["exclude_event_type"],
		Before: number("before_position", 1, math.MaxInt64, 0),
	}
	if errNumber != nil {
		return q, errNumber
	}
	if start > 0 {
		q.filter.From = time.UnixMilli(start)
	}
	if end > 0 {
		// Events carry microseconds: the whole of the last millisecond belongs to an inclusive end.
		q.filter.Until = time.UnixMilli(end)
		switch values.Get("end_date_exclusive") {
		case "true":
		case "", "false":
			q.filter.Until = q.filter.Until.Add(time.Millisecond)
		default:
			return q, fmt.Errorf("parameter end_date_exclusive is neither true nor false")
		}
		if start > end {
			return q, fmt.Errorf("start_date is after end_date")
		}
	}
	for name, list := range values {
		if slices.ContainsFunc(list, func(v string) bool { return !web.IsText(v) }) {
			return q, fmt.Errorf("parameter %q is no text", name)
		}
	}
	if len(q.filter.Codes) > largestPageSize || len(q.filter.Without) > largestPageSize {
		return q, fmt.Errorf("too many event types")
	}
	return q, nil
}

// eventsPage is the answer of the events API.
type eventsPage struct {
	ResultSet  []eventView `json:"result_set"`
	Pagination pagination  `json:"pagination"`
}

type eventView struct {
	Identifier    string          `json:"event_identifier"`
	Name          string          `json:"event_name"`
	Type          audit.Code      `json:"event_type"`
	ClientID      string          `json:"client_id,omitempty"`
	Application   string          `json:"app_name,omitempty"`
	TransactionID string          `json:"transaction_id,omitempty"`
	UserID        string          `json:"user_id,omitempty"`
	ClientIP      string          `json:"client_ip,omitempty"`
	UserAgent     string          `json:"user_agent,omitempty"`
	Agent         string          `json:"event_agent_user,omitempty"`
	Occurred      int64           `json:"occurred"` // ms since 1970 UTC
	Position      int64           `json:"position"`
	Details       json.RawMessage `json:"details"`
}

func viewOf(e *audit.Sealed) eventView {
	agent := e.Agent
	if e.AdminUser != "" {
		agent = e.AdminUser
	}
	return eventView{
		Identifier: e.Identifier(), Name: e.Code.Friendly(), Type: e.Code, ClientID: e.ClientID, Application: e.Application,
		TransactionID: e.TransactionID, UserID: e.UserID, ClientIP: e.ClientIP, UserAgent: e.UserAgent, Agent: agent,
		Occurred: e.Time.UnixMilli(), Position: e.Position, Details: e.Details.JSON(),
	}
}

type pagination struct {
	TotalResults  int   `json:"total_results"`
	Offset        int   `json:"offset"`
	PageSize      int   `json:"page_size"`
	MaxVisible    int   `json:"max_visible"`
	PagesBefore   int   `json:"pages_before"`
	RangeStart    int   `json:"range_start"`
	RangeEnd      int   `json:"range_end"`
	FirstPage     bool  `json:"first_page"`
	LastPage      bool  `json:"last_page"`
	NumberOfPages int   `json:"number_of_pages"`
	PreviousPage  *int  `json:"previous_page"`
	NextPage      *int  `json:"next_page"`
	VisiblePages  []int `json:"visible_pages"`
}

// paginate describes one page of a listing of total rows, rows of them on it.
func paginate(page, size, rows, total int) pagination {
	const before = 2
	p := pagination{
		TotalResults: total, Offset: page * size, PageSize: size, MaxVisible: visiblePages, PagesBefore: before,
		NumberOfPages: (total + size - 1) / size, VisiblePages: []int{},
	}
	p.FirstPage, p.LastPage = page == 0, page >= p.NumberOfPages-1
	if rows > 0 {
		p.RangeStart, p.RangeEnd = p.Offset+1, p.Offset+rows
	}
	if page > 0 && p.NumberOfPages > 0 {
		previous := min(page, p.NumberOfPages) - 1
		p.PreviousPage = &previous
	}
	if !p.LastPage {
		next := page + 1
		p.NextPage = &next
	}
	if p.NumberOfPages > 1 {
		first := max(0, min(page-before, p.NumberOfPages-visiblePages))
		for n := first; n < min(first+visiblePages, p.NumberOfPages); n++ {
			p.VisiblePages = append(p.VisiblePages, n)
		}
	}
	return p
}

// apiFailure answers in the API style: code, message, details.
func apiFailure(c echo.Context, f outcome.Failure) error {
	return web.JSON(c, f.Code.Status(), struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Details []string `json:"details"`
	}{f.Code.String(), f.Text, []string{}})
}
