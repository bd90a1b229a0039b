package redisstore

import (
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often the in-process server learns that time has passed.
const tick = 100 * time.Millisecond

// embedded is a RESP server in this process, on a free loopback port. It does not expire keys by itself.
type embedded struct {
	server *miniredis.Miniredis
	stop   chan struct{}
}

func startEmbedded() (*embedded, error) {
	e := &embedded{server: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	if err := e.server.Start(); err != nil {
		return nil, fmt.Errorf("start in-process Redis: %w", err)
	}
	go e.age()
	return e, nil
}

func (e *embedded) addr() string { return e.server.Addr() }

func (e *embedded) age() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.server.FastForward(tick)
		case <-e.stop:
			return
		}
	}
}

func (e *embedded) close() {
	close(e.stop)
	e.server.Close()
}
