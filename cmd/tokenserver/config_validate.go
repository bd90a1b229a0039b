package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"tokenserver/audit"
	"tokenserver/internal/keys"
)

// BaseURL is the address under which the outside reaches the server, without /oauth and without a slash at its end.
func (c *Config) BaseURL() string {
	if c.PublicBaseURL != "" {
		return strings.TrimRight(c.PublicBaseURL, "/")
	}
	_, port, err := net.SplitHostPort(c.Listen.Public)
	if err != nil {
		return ""
	}
	return "http://localhost:" + port
}

// Issuer is the issuer of tokens (RFC 8414 §2), and the audience that assertions must name.
func (c *Config) Issuer() string { return c.BaseURL() + "/oauth" }

// Validate names every problem at once.
func (c *Config) Validate() error {
	v := &configProblems{}
	word(v, "environment", c.Environment, Development, Production)
	v.baseURL(c)
	v.listeners(c)
	if c.DataDir == "" {
		v.add("data_dir", "is empty: want a folder")
	}
	if c.TransactionHeader != "" && !httpguts.ValidHeaderFieldName(c.TransactionHeader) {
		v.add("transaction_header", "%q is no name of a header", c.TransactionHeader)
	}
	v.store(c)
	v.redis(c)
	v.keys(c)
	v.webAddress("push.apns_production_url", c.Push.APNsProductionURL)
	v.webAddress("push.apns_development_url", c.Push.APNsDevelopmentURL)
	v.webAddress("push.fcm_endpoint", c.Push.FCMEndpoint)
	v.authorities("push.apns_ca_file", c.Push.APNsCAFile)
	v.duration("push.timeout", c.Push.Timeout, 100*time.Millisecond, time.Minute)
	v.mobileAuth(c)
	known := map[string]bool{}
	for _, entry := range audit.Catalogue() {
		known[string(entry.Code)] = true
	}
	for _, code := range c.Audit.Silenced {
		if !known[code] {
			v.add("audit.silenced", "%q is no code of the catalogue%s", code, nearest(code, known))
		}
	}
	v.duration("audit.checkpoint_interval", c.Audit.CheckpointInterval, time.Second, 7*24*time.Hour)
	v.number("limits.failures_per_minute", c.Limits.FailuresPerMinute, 0, 1_000_000)
	v.number("limits.authorizations_per_minute", c.Limits.AuthorizationsPerMinute, 0, 1_000_000)
	v.number("limits.registrations_per_minute", c.Limits.RegistrationsPerMinute, 0, 1_000_000)
	v.number("limits.texts_per_minute", c.Limits.TextsPerMinute, 0, 1_000_000)
	word(v, "log.level", c.Log.Level, LogDebug, LogInfo, LogWarn, LogError)
	if c.Environment == Production {
		v.production(c)
	}
	return errors.Join(v.list...)
}

// configProblems collects.
type configProblems struct{ list []error }

func (v *configProblems) add(path, format string, args ...any) {
	v.list = append(v.list, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// word checks a word of a fixed set.
func word[T ~string](v *configProblems, path string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i := range allowed {
		words[i] = string(allowed[i])
	}
	v.add(path, "%q is unknown: want %s or %s", value, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
}

func (v *configProblems) number(path string, value, least, most int) {
	if value < least || value > most {
		v.add(path, "is %d: want %d to %d", value, least, most)
	}
}

func (v *configProblems) duration(path string, value, least, most time.Duration) {
	if value < least || value > most {
		v.add(path, "is %s: want %s to %s", value, least, most)
	}
}

// webAddress checks the base address of a service that is called.
func (v *configProblems) webAddress(path, text string) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		v.add(path, "%q is no web address: want https://host/path", text)
	}
}

func (v *configProblems) baseURL(c *Config) {
	if c.PublicBaseURL == "" {
		return
	}
	v.webAddress("public_base_url", c.PublicBaseURL)
	if strings.HasSuffix(strings.TrimRight(c.PublicBaseURL, "/"), "/oauth") {
		v.add("public_base_url", "ends in /oauth, which the server adds itself: remove it")
	}
}

func (v *configProblems) listeners(c *Config) {
	first := map[string]string{}
	for _, l := range []struct{ path, address string }{
		{"listen.public", c.Listen.Public}, {"listen.console", c.Listen.Console}, {"listen.operations", c.Listen.Operations},
	} {
		_, port, err := net.SplitHostPort(l.address)
		n, number := strconv.Atoi(port)
		if err != nil || number != nil || n < 0 || n > 65535 {
			v.add(l.path, "%q is no address to listen on: want host:port or :port", l.address)
			continue
		}
		if other, taken := first[port]; taken && n != 0 {
			v.add(l.path, "has the port of %s: choose another", other)
		}
		first[port] = l.path
	}
}

func (v *configProblems) store(c *Config) {
	dsn := c.Store.DSN.Reveal()
	switch {
	case c.Store.DSN.SQLite():
		if dsn == "sqlite:" {
			v.add("store.dsn", "names no file: want sqlite:PATH")
		}
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		if _, err := url.Parse(dsn); err != nil { // the error would quote the password
			v.add("store.dsn", "is malformed: want postgres://user:password@host/database, with odd characters of the password percent-encoded")
		}
	default:
		v.add("store.dsn", "is of no known kind: want postgres://… or sqlite:PATH")
	}
	v.number("store.max_conns", c.Store.MaxConns, 1, 1000)
	word(v, "store.migrate", c.Store.Migrate, MigrateAuto, MigrateAlways, MigrateNever)
}

func (v *configProblems) redis(c *Config) {
	r := &c.Redis
	for _, address := range r.Addrs {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			v.add("redis.addrs", "%q is no address: want host:port", address)
		}
	}
	if len(r.Addrs) == 0 && (r.MasterName != "" || r.Username != "" || !r.Password.Empty() || r.Database != 0 || r.TLS) {
		v.add("redis.addrs", "is empty, but other settings of redis are not: want host:port")
	}
	v.number("redis.database", r.Database, 0, 1<<15)
	if len(r.Addrs) > 1 && r.MasterName == "" && r.Database != 0 {
		v.add("redis.database", "is %d: a cluster has database 0 only", r.Database)
	}
	if r.Username != "" && r.Password.Empty() {
		v.add("redis.password", "is missing, but redis.username is set")
	}
}

func (v *configProblems) keys(c *Config) {
	word(v, "keys.signing_algorithm", string(c.Keys.SigningAlgorithm), keys.Algorithms()...)
	v.number("keys.rsa_bits", c.Keys.RSABits, keys.RSABits, 2*keys.RSABits)
	if _, err := parseKeys(c.Keys.EncryptionKey.Reveal(), c.Keys.FormerKeys.Reveal()); err != nil {
		v.list = append(v.list, err)
	}
	if c.Keys.EncryptionKey.Empty() && !c.Store.DSN.SQLite() {
		v.add("keys.encryption_key", "is missing: all processes on one PostgreSQL share it; tokenserver keys new prints one, keys.encryption_key_file names the file")
	}
}

func (v *configProblems) mobileAuth(c *Config) {
	m := &c.MobileAuth
	v.number("mobile_auth.max_message_length", m.MaxMessageLength, 1, 1000)
	v.number("mobile_auth.max_secure_message_length", m.MaxSecureMessageLength, 1, 16384)
	v.number("mobile_auth.max_signing_data_bytes", m.MaxSigningDataBytes, 1, 32768)
	v.duration("mobile_auth.callback_timeout", m.CallbackTimeout, 100*time.Millisecond, time.Minute)
}

func (v *configProblems) authorities(path, file string) {
	if file == "" {
		return
	}
	if _, err := readAuthorities(file); err != nil {
		v.add(path, "%v", err)
	}
}

func readAuthorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return pool, nil
}

// production refuses what is only good for trying out.
func (v *configProblems) production(c *Config) {
	u, err := url.Parse(c.PublicBaseURL)
	switch {
	case c.PublicBaseURL == "":
		v.add("public_base_url", "is missing: environment production needs it, because issuer and audiences derive from it")
	case err == nil && u.Scheme != "https":
		v.add("public_base_url", "is not https: environment production needs it")
	}
	if c.Keys.EncryptionKey.Empty() && c.Store.DSN.SQLite() {
		v.add("keys.encryption_key", "is missing: environment production does not run on a generated key; tokenserver keys new prints one")
	}
	if c.MobileAuth.AllowHTTPCallbacks {
		v.add("mobile_auth.allow_http_callbacks", "is on: environment production refuses callbacks over plain http")
	}
}
