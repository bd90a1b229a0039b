package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenserver/phone"
)

const (
	outageTime  = 30 * time.Second // until an outage must have been noticed
	healingTime = 30 * time.Second // until the servers must be well again
)

// TestFaults kills servers, Redis and PostgreSQL under a deployment of its own.
func TestFaults(t *testing.T) {
	t.Parallel()
	d := own(t, func(name string) (*deployment, error) {
		return startCluster(name, clusterOptions{ownPostgres: true, persist: true})
	})
	t.Run("servers killed under load", func(t *testing.T) {
		killed(t, d, disaster{rounds: 20, strike: d.killServer, repair: d.restartServer})
	})
	t.Run("PostgreSQL killed under load", func(t *testing.T) {
		killed(t, d, disaster{
			rounds: 3, strike: func(int) { d.postgres.Kill() }, repair: func(int) error { return d.restartPostgres() },
		})
	})
	t.Run("Redis killed under load", func(t *testing.T) {
		killed(t, d, disaster{rounds: 3, strike: func(int) { d.redis.Kill() }, repair: func(int) error { return d.redis.Restart() }})
	})
	t.Run("Redis paused", func(t *testing.T) {
		outage(t, d, d.redis.Pause, func() error { d.redis.Continue(); return nil })
	})
	t.Run("Redis killed", func(t *testing.T) { outage(t, d, d.redis.Kill, d.redis.Restart) })
	t.Run("PostgreSQL killed", func(t *testing.T) { outage(t, d, d.postgres.Kill, d.restartPostgres) })
}

// killServer kills one of the processes, each in its turn.
func (d *deployment) killServer(round int) { d.servers[round%len(d.servers)].kill() }

func (d *deployment) restartServer(round int) error { return d.servers[round%len(d.servers)].start() }

// restartPostgres starts a killed PostgreSQL again. It refuses as long as the last back end of the former one has not gone.
func (d *deployment) restartPostgres() error {
	deadline := time.Now().Add(healingTime)
	for {
		err := d.postgres.Restart()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pollEvery)
	}
}

// TestKilledEmbedded kills a server on embedded stores under a load. It forgets what was in flight, and nothing that it has told.
func TestKilledEmbedded(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	killed(t, d, disaster{rounds: 5, strike: d.killServer, repair: d.restartServer, forgets: true})
}

// disaster is something that happens to a deployment under load, several times.
type disaster struct {
	rounds  int
	strike  func(round int)
	repair  func(round int) error
	forgets bool // what is in flight gets lost
}

// killed lets a disaster happen again and again, and compares what phones and portals were told with the audit log.
func killed(t *testing.T, d *deployment, what disaster) {
	t.Helper()
	l := startLoad(t, d, 4)
	for round := range what.rounds {
		l.more(12)
		what.strike(round)
		l.more(4)
		if err := what.repair(round); err != nil {
			l.stop()
			t.Fatal(err)
		}
		for _, s := range d.servers {
			s.await(t, http.StatusOK, healingTime)
		}
	}
	l.more(20)
	deeds := l.stop()
	if err := d.log.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, deed := range deeds {
		deed.check(t, d.log, what.forgets)
		for _, tried := range deed.attempts {
			if !tried.answered {
				lost++
			}
		}
	}
	t.Logf("%d deeds, %d attempts, %d without an answer", len(deeds), l.made, lost)
	if d.dsn != "" {
		d.noOrphans(t)
	}
	d.whole(t)
}

// noOrphans checks that every decision about a transaction has its event: they were written together.
func (d *deployment) noOrphans(t *testing.T) {
	t.Helper()
	decided, err := psql(t.Context(), d.dsn, "SELECT transaction_id FROM transaction_outcomes WHERE state = 'AUTHENTICATED'")
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for _, e := range d.log.all() {
		if e.Code == "PUSH_AUTH_AUTHENTICATED" {
			events[e.detail("transaction_id")]++
		}
	}
	ids := strings.Fields(decided)
	if len(ids) == 0 {
		t.Error("no transaction was decided")
	}
	for _, id := range ids {
		if events[id] != 1 {
			t.Errorf("transaction %s is decided and has %d events", id, events[id])
		}
		delete(events, id)
	}
	for id := range events {
		t.Errorf("transaction %s has an event and no decision", id)
	}
}

// whole runs audit verify.
func (d *deployment) whole(t *testing.T) {
	t.Helper()
	verified, err := d.verify()
	if err != nil || verified.code != 0 {
		t.Errorf("audit verify: %d %s%s %v", verified.code, verified.stdout, verified.stderr, err)
	}
}

// outage takes a store away and brings it back. Meanwhile requests get 503 and have no effect; afterwards the servers are well
// again by themselves.
func outage(t *testing.T, d *deployment, away func(), back func() error) {
	a := newActor(t, d)
	p, m := a.fetched("sam", typePIN)
	profile := m.ProfileID
	wrong, err := p.NewAnswer(t.Context(), m, "accept", phone.MethodPIN, phone.Claims{"refresh_token": randomHex(32)})
	if err != nil {
		t.Fatal(err)
	}
	token := a.refreshToken(p, profile)
	away()
	restored := false
	defer func() {
		if !restored {
			_ = back()
		}
	}()
	for _, s := range d.servers {
		s.await(t, http.StatusServiceUnavailable, outageTime)
	}
	var lost []string
	refused := func(what string, err error) {
		t.Helper()
		if e := phone.Refused(err); e == nil || e.Status != http.StatusServiceUnavailable || e.Code != "temporarily_unavailable" {
			t.Errorf("%s during the outage ended with %v", what, err)
		}
		lost = append(lost, a.transaction)
	}
	a.begin()
	_, err = p.SendAnswer(t.Context(), wrong)
	refused("an answer", err)
	a.begin()
	_, err = refresh(t.Context(), p, profile, token)
	refused("a refresh", err)
	a.begin()
	_, err = p.Token(t.Context(), url.Values{"grant_type": {"client_credentials"}})
	refused("a client token", err)

	if err := back(); err != nil {
		t.Fatal(err)
	}
	restored = true
	for _, s := range d.servers {
		s.await(t, http.StatusOK, healingTime)
	}
	for _, transaction := range lost {
		d.log.want(t, "during the outage", transaction, "")
	}
	a.step("the wrong PIN of the outage was not counted", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := p.SendAnswer(ctx, wrong)
		if refused := phone.Refused(err); refused == nil || refused.Remaining == nil || *refused.Remaining != 2 {
			return fmt.Errorf("not refused with 2 attempts left: %w", err)
		}
		return nil
	})
	a.step("refresh", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
		_, err := refresh(ctx, p, profile, token)
		return err
	})
	d.whole(t)
}

// await waits until the process says that it is ready or not.
func (s *server) await(t *testing.T, status int, most time.Duration) {
	t.Helper()
	deadline := time.Now().Add(most)
	for s.health("/health/ready") != status {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not %s after %v", s.name, fmt.Sprint(status), most)
		}
		time.Sleep(pollEvery)
	}
}
