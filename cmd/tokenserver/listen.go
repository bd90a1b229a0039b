package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of every listener. A slow client may hold a connection, not a handler.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
)

// listener is one HTTP listener of the process.
type listener struct {
	name   string
	socket net.Listener
	server *http.Server
}

// listen opens the socket; nothing is served before serve. An address whose port is 0 gets a free one.
func listen(ctx context.Context, name, address string, handler http.Handler, log *slog.Logger) (*listener, error) {
	var config net.ListenConfig
	socket, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the %s endpoints: %w", name, err)
	}
	return &listener{name: name, socket: socket, server: &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}, nil
}

// address returns where the listener can be reached.
func (l *listener) address() string { return l.socket.Addr().String() }

// serve works until close or drain; failed gets the error of a listener that breaks.
func (l *listener) serve(failed chan<- error) {
	if err := l.server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		failed <- fmt.Errorf("%s listener: %w", l.name, err)
	}
}

// drain takes no more connections and waits for the requests under way.
func (l *listener) drain(ctx context.Context) error { return l.server.Shutdown(ctx) }
