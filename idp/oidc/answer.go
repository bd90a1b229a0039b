package oidc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tokenserver/internal/outbound"
)

// longestCode is how much of a provider's error code is repeated in events, in bytes.
const longestCode = 64

// object sends a request and returns the one JSON object of its answer, with status and header, whatever the status.
// Errors: *Refusal.
func object(client *http.Client, request *http.Request) (members map[string]any, status int, header http.Header, err error) {
	request.Header.Set("Accept", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return nil, 0, nil, unreached(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, 0, nil, unreached(err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode < http.StatusBadRequest {
		return nil, 0, nil, &Refusal{Reason: "redirected", Status: answer.StatusCode}
	}
	if members, err = parseObject(body); err != nil {
		return nil, 0, nil, &Refusal{Reason: "not a JSON object", Status: answer.StatusCode, cause: err}
	}
	return members, answer.StatusCode, answer.Header, nil
}

// unreached says why there is no whole answer.
func unreached(err error) error {
	reason := "no answer"
	switch {
	case errors.Is(err, outbound.ErrForbidden):
		reason = "address not allowed"
	case errors.Is(err, outbound.ErrTooLarge):
		reason = "answer too large"
	}
	return &Refusal{Reason: reason, cause: outbound.WithoutQuery(err)}
}

var errTrailing = errors.New("something follows the object")

// parseObject decodes one JSON object; numbers stay as they are written.
func parseObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var members map[string]any
	if err := decoder.Decode(&members); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if members == nil {
		return nil, errors.New("decode: null")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return members, nil
}

// text returns a member that is a string, else "".
func text(members map[string]any, name string) string {
	s, _ := members[name].(string)
	return s
}

// Code returns a provider's error code in a form that may be written down: it comes from outside.
func Code(s string) string {
	if s == "" {
		return ""
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if len(s) > longestCode || strings.Trim(s, letters) != "" {
		return "unreadable"
	}
	return s
}
