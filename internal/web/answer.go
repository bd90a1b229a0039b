package web

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// answer buffers header and body until the events of the request are committed. Stream lets go of the buffer.
type answer struct {
	under     http.ResponseWriter
	header    http.Header
	status    int
	body      bytes.Buffer
	streaming bool
}

func newAnswer(under http.ResponseWriter) *answer {
	return &answer{under: under, header: http.Header{}}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.status = status
	if a.streaming {
		maps.Copy(a.under.Header(), a.header)
		a.under.WriteHeader(status)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.streaming {
		return a.under.Write(p)
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.body.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.under }

// discard forgets an answer that may not be sent.
func (a *answer) discard(r *echo.Response) {
	a.header, a.status = http.Header{}, 0
	a.body.Reset()
	r.Committed, r.Size, r.Status = false, 0, http.StatusOK
}

// send writes the buffered answer to the connection.
func (a *answer) send() error {
	if a.streaming {
		return nil
	}
	maps.Copy(a.under.Header(), a.header)
	if a.body.Len() > 0 {
		a.under.Header().Set(echo.HeaderContentLength, strconv.Itoa(a.body.Len()))
	}
	if a.status != 0 {
		a.under.WriteHeader(a.status)
	}
	_, err := a.under.Write(a.body.Bytes())
	return err
}
