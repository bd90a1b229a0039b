package main

import (
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a value that prints and logs as [redacted].
type Secret struct{ clear string }

// Reveal returns the value in clear.
func (s Secret) Reveal() string { return s.clear }

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.clear == "" }

// String keeps the value out of logs.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return redacted
}

// GoString keeps the value out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the value out of slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// DSN is the address of a database; it prints without its password.
type DSN struct{ text string }

// Reveal returns the whole address.
func (d DSN) Reveal() string { return d.text }

// Empty tells whether there is no address.
func (d DSN) Empty() bool { return d.text == "" }

// SQLite tells whether the address is that of a file, or of memory.
func (d DSN) SQLite() bool { return strings.HasPrefix(d.text, "sqlite:") }

// Path returns the file of a SQLite address, "" for a database in memory.
func (d DSN) Path() string {
	path, _ := strings.CutPrefix(d.text, "sqlite:")
	if !d.SQLite() || path == ":memory:" {
		return ""
	}
	return path
}

// String shows where the database is, but nothing secret: the password and the parameters, which may hold one, are
// left out.
func (d DSN) String() string {
	if d.Empty() || d.SQLite() {
		return d.text
	}
	u, err := url.Parse(d.text)
	if err != nil || u.Host == "" {
		return redacted
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	return shown.String()
}

// GoString keeps the password out of %#v.
func (d DSN) GoString() string { return d.String() }

// LogValue keeps the password out of slog.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }
