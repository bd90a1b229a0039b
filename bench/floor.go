package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

// serveFloor is the least that a Go server can do for a request with state: an echo handler with one Redis SET and one
// GET. It prints its address and serves until the context ends.
func serveFloor(ctx context.Context, redisAddr string, out io.Writer) error {
	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer func() { _ = client.Close() }()
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST("/", func(c echo.Context) error { //nolint:contextcheck // a handler's context is its request's
		ctx := c.Request().Context()
		pipe := client.Pipeline()
		pipe.Set(ctx, "floor", "value", time.Minute)
		got := pipe.Get(ctx, "floor")
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusOK, []byte(`{"value":"`+got.Val()+`"}`))
	})
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, listener.Addr())
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startFloor runs this program once more as the floor server, so that its CPU can be told from the load generator's.
func startFloor(ctx context.Context, redisAddr string) (address string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	command := exec.CommandContext(ctx, self, "-serve-floor", redisAddr)
	out, err := command.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := command.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("start the floor server: %w", err)
	}
	return strings.TrimSpace(line), command.Process.Pid, stop, nil
}
