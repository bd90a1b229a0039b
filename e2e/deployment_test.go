package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tokenserver/internal/testenv"
)

// deployment is a running product: one or more processes of the binary with their stores and the outside world.
type deployment struct {
	name      string
	dir       string // build/e2e/<name>: configuration, logs, data
	base      string // of the public listener as clients see it, with /oauth
	servers   []*server
	proxy     *proxy // nil when there is one server
	world     *world
	log       *auditLog
	transport *http.Transport

	postgres *testenv.PostgresServer // nil unless the deployment has its own
	redis    *testenv.RedisServer    // nil when embedded
	dsn      string                  // of PostgreSQL; empty when embedded
	stops    []func() error          // run last to first

	mu      sync.Mutex
	secrets []string // tokens and codes that were handed out
}

// newDeployment makes the folder and the outside world.
func newDeployment(name string) (*deployment, error) {
	d := &deployment{name: name, dir: filepath.Join(all.root, "build", "e2e", name)}
	d.transport = &http.Transport{MaxIdleConnsPerHost: 128}
	d.log = newAuditLog(d)
	if err := os.RemoveAll(d.dir); err != nil {
		return nil, fmt.Errorf("clean %s: %w", d.dir, err)
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return nil, fmt.Errorf("make %s: %w", d.dir, err)
	}
	var err error
	if d.world, err = newWorld(); err != nil {
		return nil, err
	}
	d.stops = append(d.stops, d.world.close)
	return d, nil
}

// started ends the preparation of a deployment: on an error everything is stopped again.
func (d *deployment) started(err error) (*deployment, error) {
	if err == nil {
		return d, nil
	}
	err = fmt.Errorf("start deployment %s: %w", d.name, err)
	for i := len(d.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, d.stops[i]())
	}
	return nil, err
}

// startEmbedded starts one process that keeps everything in its folder.
func startEmbedded(name string) (*deployment, error) {
	d, err := newDeployment(name)
	if err != nil {
		return nil, err
	}
	return d.started(d.startEmbedded())
}

func (d *deployment) startEmbedded() error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	d.base = "http://" + ports[0] + "/oauth"
	s, err := d.addServer("server", "", ports, object{"settings_file": d.settingsFile()})
	if err != nil {
		return err
	}
	return s.start()
}

// clusterOptions change what startCluster starts.
type clusterOptions struct {
	ownPostgres bool // a PostgreSQL cluster that the test may stop
	persist     bool // Redis keeps what it has acknowledged over a restart
}

// startCluster starts two processes on one PostgreSQL database and one Redis, behind a proxy.
func startCluster(name string, options clusterOptions) (*deployment, error) {
	d, err := newDeployment(name)
	if err != nil {
		return nil, err
	}
	return d.started(d.startCluster(options))
}

func (d *deployment) startCluster(options clusterOptions) error {
	if err := d.startStores(options); err != nil {
		return err
	}
	const servers = 2
	ports, err := freePorts(3 * servers)
	if err != nil {
		return err
	}
	if d.proxy, err = startProxy(ports[0], ports[3]); err != nil {
		return err
	}
	d.stops = append(d.stops, func() error { d.proxy.close(); return nil })
	d.base = d.proxy.url() + "/oauth"
	key, err := d.keyFile()
	if err != nil {
		return err
	}
	stores := object{
		"store": object{"dsn": d.dsn}, "redis": object{"addrs": []string{d.redis.Addr()}},
		"keys": object{"encryption_key_file": key},
	}
	for i := range servers {
		name := fmt.Sprintf("server-%d", i+1)
		s, err := d.addServer(name, d.proxy.url(), ports[3*i:3*i+3], stores)
		if err != nil {
			return err
		}
		if i == 0 {
			if err := s.prepare([]string{"migrate"}, []string{"admin", "apply", d.settingsFile()}); err != nil {
				return err
			}
		}
		if err := s.start(); err != nil {
			return err
		}
	}
	return nil
}

// startStores starts Redis, and PostgreSQL unless the run has one.
func (d *deployment) startStores(options clusterOptions) error {
	redis, err := testenv.StartRedis(testenv.RedisOptions{Persist: options.persist})
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	d.redis = redis
	d.stops = append(d.stops, func() error { redis.Stop(); return nil })
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if admin := os.Getenv(testenv.EnvPostgres); admin != "" && !options.ownPostgres {
		d.dsn, err = createDatabase(ctx, admin)
		return err
	}
	postgres, err := testenv.StartPostgres(testenv.PostgresOptions{NoSync: !options.ownPostgres})
	if err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	d.postgres = postgres
	d.stops = append(d.stops, func() error { postgres.Stop(); return nil })
	d.dsn, err = createDatabase(ctx, postgres.DSN("postgres"))
	return err
}

// prepare runs commands of the binary that must succeed, as an operator does before the first start.
func (s *server) prepare(commands ...[]string) error {
	for _, args := range commands {
		done, err := s.command(args...)
		if err != nil {
			return err
		}
		if done.code != 0 {
			return fmt.Errorf("%v ended with %d: %s%s", args, done.code, done.stdout, done.stderr)
		}
	}
	return nil
}

// addServer writes the configuration of a process and does not start it. more is laid over the configuration.
func (d *deployment) addServer(name, publicURL string, ports []string, more object) (*server, error) {
	s := &server{name: name, dir: filepath.Join(d.dir, name), public: ports[0], operations: ports[2]}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, fmt.Errorf("make %s: %w", s.dir, err)
	}
	settings, err := d.world.settings(nil)
	if err != nil {
		return nil, err
	}
	if err := save(d.settingsFile(), settings); err != nil {
		return nil, err
	}
	if err := d.configure(s, publicURL, ports, more); err != nil {
		return nil, err
	}
	d.servers = append(d.servers, s)
	d.stops = append(d.stops, s.stop)
	return s, nil
}

func (d *deployment) settingsFile() string { return filepath.Join(d.dir, "settings.yaml") }

// apply puts a changed settings document into force, as an administrator does. Every process works with it within two seconds.
func (d *deployment) apply(t *testing.T, change func(object)) {
	t.Helper()
	text, err := d.world.settings(change)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, "changed.yaml")
	if err := save(path, text); err != nil {
		t.Fatal(err)
	}
	if err := d.servers[0].prepare([]string{"admin", "apply", path}); err != nil {
		t.Fatal(err)
	}
}

// close reads the rest of the audit log, counts it, checks it and stops everything.
func (d *deployment) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := d.log.settle(ctx)
	all.coverage.add(d.name, d.log.all())
	err = errors.Join(err, d.leaks())
	if verified, verifyErr := d.verify(); verifyErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: audit verify: %w", d.name, verifyErr))
	} else if verified.code != 0 {
		err = errors.Join(err, fmt.Errorf("%s: audit verify ended with %d: %s%s", d.name, verified.code, verified.stdout, verified.stderr))
	}
	for i := len(d.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, d.stops[i]())
	}
	d.transport.CloseIdleConnections()
	return err
}

// leaks looks for secrets where they must never be: in the logs of the processes and in the audit log.
func (d *deployment) leaks() error {
	d.mu.Lock()
	secrets := append([]string{d.world.secret, d.world.password, d.world.portal.Secret()}, d.secrets...)
	d.mu.Unlock()
	texts := map[string][]byte{}
	for _, s := range d.servers {
		text, err := os.ReadFile(s.logFile())
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		texts["log of "+s.name] = text
	}
	events, err := json.Marshal(d.log.all())
	if err != nil {
		return fmt.Errorf("encode events: %w", err)
	}
	texts["audit log"] = events
	var found []error
	for where, text := range texts {
		for i, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				found = append(found, fmt.Errorf("%s: secret %d stands in the %s", d.name, i, where))
			}
		}
	}
	return errors.Join(found...)
}

// secret remembers a value that must be found nowhere.
func (d *deployment) secret(value string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.secrets = append(d.secrets, value)
	return value
}

// own is a deployment for one test alone, stopped when it ends.
func own(t *testing.T, start func(name string) (*deployment, error)) *deployment {
	t.Helper()
	d, err := start("own-" + t.Name())
	if errors.Is(err, testenv.ErrMissing) && !testenv.Required() {
		t.Skipf("%v; make deps installs it", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// verify runs `audit verify` on the deployment's log.
func (d *deployment) verify() (result, error) { return d.servers[0].command("audit", "verify") }

// newKey makes a key-encryption key: 32 bytes in hex.
func newKey() string { return randomHex(32) }
