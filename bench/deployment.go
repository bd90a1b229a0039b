package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"tokenserver/internal/secret"
	"tokenserver/internal/standin"
	"tokenserver/internal/testenv"
)

const (
	signature = "3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63"
	project   = "bench"
	pin       = "48213"
)

// deployment is one running server with its stores and its outside world.
type deployment struct {
	base       string // with /oauth
	operations string // address of probes, metrics and profiles
	secret     string // of every client and user
	client     *http.Client
	fcm        *standin.FCM
	portal     *standin.Portal
	now        func() time.Time

	redisAddr string // "" with the embedded stores
	server    *exec.Cmd
	ready     time.Duration
	storePIDs []int // roots of process trees
	close     []func()

	mu      sync.Mutex
	devices map[int]*device
}

// deploy starts stores ("postgres" or "embedded"), stand-ins and the server.
func deploy(ctx context.Context, o options, stores string) (d *deployment, err error) {
	d = &deployment{
		secret: hex.EncodeToString(secret.Bytes(32)), now: time.Now, devices: map[int]*device{},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4 * o.concurrency}},
	}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	dir, err := os.MkdirTemp("", "tokenserver-bench-")
	if err != nil {
		return nil, err
	}
	d.close = append(d.close, func() { _ = os.RemoveAll(dir) })
	if d.fcm, err = standin.StartFCM(time.Now); err != nil {
		return nil, err
	}
	if d.portal, err = standin.StartPortal(time.Now); err != nil {
		return nil, err
	}
	d.close = append(d.close, func() { _ = errors.Join(d.fcm.Close(), d.portal.Close()) })
	d.portal.SetSecret(standin.NewWebhookSecret())

	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	config := map[string]any{
		"public_base_url": "http://" + ports[0], "data_dir": dir, "settings_file": filepath.Join(dir, "settings.yaml"),
		"listen":      map[string]any{"public": ports[0], "console": ports[1], "operations": ports[2]},
		"push":        map[string]any{"fcm_endpoint": d.fcm.Endpoint()},
		"outbound":    map[string]any{"allow_private": map[string]any{"push": []string{"127.0.0.0/8"}, "callback": []string{"127.0.0.0/8"}}},
		"mobile_auth": map[string]any{"allow_http_callbacks": true},
		"log":         map[string]any{"level": "warn"},
		"limits":      map[string]any{"authorizations_per_minute": 0}, // every worker signs in from one address
	}
	if stores == "postgres" {
		if err := d.startStores(ctx, config); err != nil {
			return nil, err
		}
	}
	settings, err := d.settings(o.concurrency)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]any{"settings.yaml": settings, "config.yaml": config} {
		text, err := json.Marshal(content) // JSON is YAML
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	return d, d.start(ctx, o.binary, dir, ports)
}

// atRest starts the server with nothing but the embedded defaults, and looks at it before any load.
func atRest(ctx context.Context, o options) (AtRest, error) {
	dir, err := os.MkdirTemp("", "tokenserver-bench-")
	if err != nil {
		return AtRest{}, err
	}
	d := &deployment{client: &http.Client{Timeout: patience}, close: []func(){func() { _ = os.RemoveAll(dir) }}}
	defer d.stop()
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return AtRest{}, err
	}
	text, err := json.Marshal(map[string]any{
		"data_dir": dir, "listen": map[string]any{"public": ports[0], "console": ports[1], "operations": ports[2]},
	})
	if err != nil {
		return AtRest{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), text, 0o600); err != nil {
		return AtRest{}, err
	}
	if err := d.start(ctx, o.binary, dir, ports); err != nil {
		return AtRest{}, err
	}
	const settled = time.Second
	time.Sleep(settled)
	return AtRest{ResidentMiB: residentMiB(d.server.Process.Pid), ReadyMillis: millis(d.ready), BinaryMB: fileMB(o.binary)}, nil
}

func (d *deployment) startStores(ctx context.Context, config map[string]any) error {
	postgres, err := testenv.StartPostgres(testenv.PostgresOptions{}) //nolint:contextcheck // it outlives no context: Stop ends it
	if err != nil {
		return err
	}
	d.close = append(d.close, postgres.Stop)
	dsn, err := postgres.CreateDatabase(ctx, "bench")
	if err != nil {
		return err
	}
	redis, err := testenv.StartRedis(testenv.RedisOptions{})
	if err != nil {
		return err
	}
	d.close = append(d.close, redis.Stop)
	d.redisAddr, d.storePIDs = redis.Addr(), []int{postgres.PID(), redis.PID()}
	config["store"] = map[string]any{"dsn": dsn, "migrate": "always"}
	config["redis"] = map[string]any{"addrs": []string{redis.Addr()}}
	key := filepath.Join(fmt.Sprint(config["data_dir"]), "shared.key")
	config["keys"] = map[string]any{"encryption_key_file": key}
	return os.WriteFile(key, []byte(hex.EncodeToString(secret.Bytes(32))), 0o600)
}

func (d *deployment) settings(users int) (any, error) {
	type object = map[string]any
	account, err := d.fcm.NewServiceAccount(project)
	if err != nil {
		return nil, err
	}
	people := make([]object, users)
	for i := range people {
		people[i] = object{"id": userOf(i), "username": userOf(i), "password": d.secret, "attributes": object{"name": "Bench"}}
	}
	machine := func(id, format string) object {
		return object{
			"client_id": id, "name": id, "client_secret": d.secret, "grant_types": []string{"CLIENT_CREDENTIALS"},
			"access_token_format": format, "default_scopes": []string{"accounts"},
		}
	}
	return object{
		"scopes": []object{
			{"id": "openid", "persistent_consent": true, "descriptions": object{"en": "Who you are"}},
			{"id": "accounts", "persistent_consent": true, "descriptions": object{"en": "Your accounts"}},
		},
		"pin_policies":        []object{{"name": "usual", "default": true, "length": len(pin), "max_similar_digits": 3}},
		"identity_providers":  []object{{"id": "accounts", "name": "Accounts", "type": "ACCOUNTS", "default": true}},
		"push_configurations": []object{{"id": "fcm", "name": "FCM", "platform": "android", "service_account": string(account)}},
		"applications": []object{{
			"id": "bench", "name": "Bench", "redirect_url": "bench://back", "default_scopes": []string{"openid", "accounts"},
			"identity_provider": "accounts",
			"versions": []object{{
				"platform": "android", "version": "1.0", "application_signatures": []string{signature}, "push_configuration": "fcm",
			}},
		}},
		"web_clients": []object{
			machine("machine-opaque", "OPAQUE"), machine("machine-jwt", "JWT"),
			{
				"client_id": "web", "name": "Web", "client_secret": d.secret, "grant_types": []string{"AUTHORIZATION_CODE"},
				"redirect_urls": []string{"http://127.0.0.1:1/back"}, "refresh_token_enabled": true,
				"default_scopes": []string{"accounts"}, "additional_scopes": []string{"openid"}, "identity_provider": "accounts",
			},
		},
		"api_clients": []object{
			{"client_id": "gateway", "name": "Gateway", "client_secret": d.secret, "scopes": []string{"onegini_api_token_introspection"}},
			{"client_id": "portal", "name": "Portal", "client_secret": d.secret, "scopes": []string{"onegini_api_mobile_authentication"}},
		},
		"authentication_types": []object{
			{"name": "sign-in", "method": "PUSH", "expires_in": 300}, {"name": "confirm", "method": "PUSH_WITH_PIN", "expires_in": 300},
		},
		"callbacks": []object{{"url": d.portal.CallbackURL(), "signing_secret": d.portal.Secret()}},
		"users":     people,
	}, nil
}

// start runs the server and waits until it is ready.
func (d *deployment) start(ctx context.Context, binary, dir string, ports []string) error {
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return err
	}
	d.base, d.operations = "http://"+ports[0]+"/oauth", ports[2]
	d.server = exec.CommandContext(ctx, binary, "serve", "--config", filepath.Join(dir, "config.yaml"))
	d.server.Stderr, d.server.Stdout = log, log
	d.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := d.server.Start(); err != nil {
		return err
	}
	d.close = append(d.close, func() {
		_ = d.server.Process.Signal(syscall.SIGTERM)
		_ = d.server.Wait()
	})
	for time.Since(began) < patience && ctx.Err() == nil {
		probe, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ports[2]+"/health/ready", http.NoBody)
		if err != nil {
			return err
		}
		if answer, err := d.client.Do(probe); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				d.ready = time.Since(began)
				return nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("the server did not become ready:\n%s", strings.TrimSpace(string(text)))
}

func (d *deployment) stop() {
	for i := len(d.close) - 1; i >= 0; i-- {
		d.close[i]()
	}
}

func (d *deployment) storesCPU() time.Duration {
	var sum time.Duration
	for _, pid := range d.storePIDs {
		sum += cpuOf(pid, true)
	}
	return sum
}

// freePorts returns loopback addresses that were free a moment ago.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var config net.ListenConfig
	var addresses []string
	for range n {
		l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
