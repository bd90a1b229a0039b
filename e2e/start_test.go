package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tokenserver/phone"
)

// TestStartRefused: a server that would do harm does not start, and says why.
func TestStartRefused(t *testing.T) {
	t.Run("schema too old", func(t *testing.T) {
		d := cluster(t)
		ports, err := freePorts(3)
		if err != nil {
			t.Fatal(err)
		}
		empty, err := createDatabase(t.Context(), d.dsn)
		if err != nil {
			t.Fatal(err)
		}
		key, err := d.keyFile()
		if err != nil {
			t.Fatal(err)
		}
		s := &server{name: "old-schema", dir: t.TempDir(), public: ports[0], operations: ports[2]}
		if err := d.configure(s, "", ports, object{
			"store": object{"dsn": empty}, "redis": object{"addrs": []string{d.redis.Addr()}}, "keys": object{"encryption_key_file": key},
		}); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, s, "migrate")
		if err := s.prepare([]string{"migrate"}, []string{"migrate", "down", "--yes"}); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, s, "migrate")
	})
	t.Run("second process on embedded stores", func(t *testing.T) {
		d := embedded(t)
		ports, err := freePorts(3)
		if err != nil {
			t.Fatal(err)
		}
		s := &server{name: "second", dir: t.TempDir(), public: ports[0], operations: ports[2]}
		if err := d.configure(s, "", ports, object{"data_dir": filepath.Join(d.servers[0].dir, "data")}); err != nil {
			t.Fatal(err)
		}
		refusesToStart(t, s, "redis.addrs")
		a := newActor(t, d)
		a.step("the first goes on", "DYNAMIC_REG_SUCCESS", func(ctx context.Context) error { return a.phone(android()).Register(ctx, "") })
	})
}

// refusesToStart runs a server that must end by itself with an error that names what to look at.
func refusesToStart(t *testing.T, s *server, says string) {
	t.Helper()
	done, err := command(s.dir, s.env, s.args...)
	if err != nil {
		t.Fatal(err)
	}
	if done.code == 0 || !strings.Contains(done.stderr, says) {
		t.Errorf("ended with %d: %s; want a word about %s", done.code, done.stderr, says)
	}
}

// TestRestart: what an embedded server must remember over a restart, it does.
func TestRestart(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	a := newActor(t, d)
	p, profile := a.enrolled(android(), "kim", d.world.androidDevice())
	for _, ending := range []struct {
		name string
		end  func(*server) error
	}{
		{"stop", (*server).stop},
		{"kill", func(s *server) error { s.kill(); return nil }},
	} {
		if err := ending.end(d.servers[0]); err != nil {
			t.Fatal(err)
		}
		if err := d.servers[0].start(); err != nil {
			t.Fatal(err)
		}
		a.step("refresh after "+ending.name, "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
			_, err := p.Refresh(ctx, profile, pin)
			return err
		})
		started := a.started(p, "kim", typePIN)
		a.step("push after "+ending.name, "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED PUSH_AUTH_AUTHENTICATED", func(ctx context.Context) error {
			m, err := p.Fetch(ctx, started.TransactionID, profile)
			if err == nil {
				_, err = p.Accept(ctx, m, pin)
			}
			return err
		})
		a.step("validate after "+ending.name, "CLIENT_CREDENTIALS_CHECK_SUCCESS", func(ctx context.Context) error {
			v, err := p.Validate(ctx)
			if err == nil && (v.Status != phone.Valid || len(v.Profiles) != 1) {
				return fmt.Errorf("%s, profiles %v", v.Status, v.Profiles)
			}
			return err
		})
		d.whole(t)
	}
}
