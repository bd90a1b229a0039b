package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"

	"github.com/labstack/echo/v4"
)

// JSONType is the content type of every JSON answer.
const JSONType = "application/json;charset=UTF-8"

// The ways in which a body cannot be bound. A body that is too large is *http.MaxBytesError.
var (
	ErrContentType = errors.New("wrong content type")
	ErrMalformed   = errors.New("malformed body")
	ErrRepeated    = errors.New("repeated parameter")
	ErrQuery       = errors.New("parameters in the query")
)

const maxDepth = 32

// BindJSON reads one JSON object into target: application/json, no unknown and no repeated members, nothing after it.
func BindJSON(c echo.Context, target any) error {
	kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationJSON {
		return ErrContentType
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return DecodeJSON(body, target)
}

// DecodeJSON is BindJSON for bytes that are there already.
func DecodeJSON(body []byte, target any) error {
	if err := unrepeated(body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(target); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// unrepeated walks the tokens of one JSON object: encoding/json would silently take the last of two equal members.
func unrepeated(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	type level struct {
		object bool
		key    bool // the next token is a member name
		seen   map[string]bool
	}
	var open []level
	for first := true; ; first = false {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 && !first {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if first && token != json.Delim('{') || !first && len(open) == 0 {
			return fmt.Errorf("%w: not one JSON object", ErrMalformed)
		}
		if name, ok := token.(string); ok && len(open) > 0 && open[len(open)-1].key {
			top := &open[len(open)-1]
			if top.seen[name] {
				return ErrRepeated
			}
			top.seen[name], top.key = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{object: true, key: true, seen: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) > maxDepth {
			return fmt.Errorf("%w: nested too deeply", ErrMalformed)
		}
		if token != json.Delim('{') && len(open) > 0 && open[len(open)-1].object {
			open[len(open)-1].key = true
		}
	}
}

// JSON answers with body, never to be cached.
func JSON(c echo.Context, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return JSONBytes(c, status, text)
}

// JSONBytes is JSON for an answer that is encoded already: hot paths encode by hand.
func JSONBytes(c echo.Context, status int, body []byte) error {
	NoStore(c)
	return c.Blob(status, JSONType, body)
}

// NoStore forbids caching, as RFC 6749 §5.1 wants it for everything that holds a token.
func NoStore(c echo.Context) {
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set("Pragma", "no-cache")
}

func appendMember(body []byte, name string, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte("null")
	}
	if len(body) > 1 {
		body = append(body, ',')
	}
	body = append(body, '"')
	body = append(body, name...)
	body = append(body, '"', ':')
	return append(body, text...)
}
