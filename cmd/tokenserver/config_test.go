package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// load is loadConfig with a file of that text ("" for none) and flags of the form name=value.
func load(t *testing.T, text string, environ []string, flags ...string) (Config, error) {
	t.Helper()
	name := ""
	if text != "" {
		name = filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	defaults := Defaults()
	for _, o := range options(&defaults) {
		if o.flag() != "" {
			set.String(o.flag(), o.show(), "")
		}
	}
	for i := range flags {
		flags[i] = "--" + flags[i]
	}
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	return loadConfig(name, environ, set)
}

func TestDefaultsRunOnALaptop(t *testing.T) {
	c, err := load(t, "", []string{"HOME=/x", "TOKENSERVER_PORT=tcp://10.0.0.1:7878", "TOKENSERVER_SERVICE_HOST=10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer() != "http://localhost:7878/oauth" || c.Store.DSN.Reveal() != "sqlite:data/tokenserver.db" {
		t.Errorf("issuer %s, store %s", c.Issuer(), c.Store.DSN)
	}
}

func TestSourcesLieOverEachOther(t *testing.T) {
	file := "listen:\n  public: ':1'\n  console: ':2'\n  operations: ':3'\npush: {timeout: 1s}\n"
	environ := []string{"TOKENSERVER_LISTEN_PUBLIC=:4", "TOKENSERVER_LISTEN_CONSOLE=:5"}
	c, err := load(t, file, environ, "listen-public=:6")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(c.Listen.Public, c.Listen.Console, c.Listen.Operations, c.Push.Timeout, c.Log.Level)
	if want := ":6:5:31sinfo"; strings.ReplaceAll(got, " ", "") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryOptionIsReachable(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, encryptionKeyBytes))
	values := map[string]string{ // by path, where the kind of the field does not say it
		"public_base_url": "https://ts.example", "environment": "production", "listen.public": ":1", "listen.console": ":2",
		"listen.operations": ":3", "store.dsn": "postgres://a:b@c/d", "store.migrate": "never", "redis.addrs": "r:1",
		"keys.encryption_key": key, "keys.former_keys": key, "keys.signing_algorithm": "RS256",
		"push.apns_production_url": "https://a.example", "push.apns_development_url": "https://b.example",
		"push.fcm_endpoint": "https://c.example",
		"audit.silenced":    "PUSH_AUTH_TRANSACTION_RETRIEVED,API_ACCESS_GRANTED", "log.level": "debug",
	}
	unset := []string{
		"store.dsn_file", "redis.password_file", "keys.encryption_key_file", "keys.former_keys_file",
		"push.apns_ca_file", "mobile_auth.allow_http_callbacks",
	} // exclude others, want a file, or are refused in production
	defaults := Defaults()
	var environ []string
	for _, o := range options(&defaults) {
		value, given := values[o.path]
		switch {
		case slices.Contains(unset, o.path):
			continue
		case given:
		case o.list():
			value = "10.0.0.0/8,192.0.2.1/32"
		default:
			switch o.value.Interface().(type) {
			case bool:
				value = fmt.Sprint(!o.value.Bool())
			case int:
				value = fmt.Sprint(o.value.Int() + 1)
			case time.Duration:
				value = (time.Duration(o.value.Int()) + time.Second).String()
			default:
				value = "text"
			}
		}
		environ = append(environ, o.env()+"="+value)
		values[o.path] = value
	}
	c, err := load(t, "", environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options(&c) {
		want, given := values[o.path]
		if o.secret() {
			want = redacted
		}
		if o.path == "store.dsn" {
			want = "postgres://a@c/d"
		}
		if got := o.show(); given && got != want {
			t.Errorf("%s is %q, want %q", o.path, got, want)
		}
	}

	// What is printed is a file that says the same, but for the secrets.
	var printed bytes.Buffer
	if err := printConfig(&printed, &c); err != nil {
		t.Fatal(err)
	}
	if text := printed.String(); strings.Contains(text, key) || strings.Contains(text, ":b@") {
		t.Fatalf("a secret is printed:\n%s", text)
	}
	text := strings.ReplaceAll(printed.String(), `"[redacted]"`, `""`)
	back, err := load(t, text, []string{
		"TOKENSERVER_KEYS_ENCRYPTION_KEY=" + key, "TOKENSERVER_KEYS_FORMER_KEYS=" + key,
		"TOKENSERVER_REDIS_PASSWORD=text", "TOKENSERVER_STORE_DSN=postgres://a:b@c/d",
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	back.DataDir, back.SettingsFile = filepath.Base(back.DataDir), filepath.Base(back.SettingsFile) // relative to the file
	if !reflect.DeepEqual(c, back) {
		t.Errorf("printed and read again:\n%#v\nnot\n%#v", back, c)
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	file := `
listen:
  public: nowhere
  pubic: ":1"
redis:
  password: hidden
environment: staging
push: {timeout: 5}
trusted_proxies: [10.0.0.0/33]
`
	_, err := load(t, file, []string{"TOKENSERVER_LOG_LEVELS=debug", "TOKENSERVER_STORE_MAX_CONNS=many", "TOKENSERVER_AUDIT_SILENCED=NO_CODE"},
		"redis-database=-1")
	if err == nil {
		t.Fatal("no problem is named")
	}
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		if _, rest, found := strings.Cut(lines[i], "config.yaml:"); found {
			lines[i] = rest
		}
	}
	want := []string{
		`TOKENSERVER_LOG_LEVELS: no such setting: did you mean TOKENSERVER_LOG_LEVEL?`,
		`4: listen.pubic: no such setting: did you mean listen.public?`,
		`6: redis.password: secrets do not belong into this file: write it into a file of its own and name that in redis.password_file, or set TOKENSERVER_REDIS_PASSWORD`,
		`8: push.timeout: "5" is no duration: want a number with its unit, such as 30s, 5m or 1h`,
		`9: trusted_proxies: "10.0.0.0/33" is no network: want one such as 10.0.0.0/8 or 127.0.0.1`,
		`TOKENSERVER_STORE_MAX_CONNS: "many" is no whole number`,
		`environment: "staging" is unknown: want development or production`,
		`listen.public: "nowhere" is no address to listen on: want host:port or :port`,
		`redis.addrs: is empty, but other settings of redis are not: want host:port`,
		`redis.database: is -1: want 0 to 32768`,
		`audit.silenced: "NO_CODE" is no code of the catalogue`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestFilesAreRefusedAsAWhole(t *testing.T) {
	for text, want := range map[string]string{
		"listen: {public: ':1', public: ':2'}": `mapping key "public" already defined`,
		"log: {level: info}\n---\nlog: {}":     "want one YAML document",
		"listen: [1]":                          "the configuration listen: want keys and values",
		"log: {level: [info, warn]}":           "want one value, not a list",
		"redis: {addrs: {a: b}}":               "redis.addrs: want a plain value",
		"log: {level: {a: b}}":                 "log.level: want a plain value",
		"[":                                    "config.yaml: [",
	} {
		_, err := load(t, text, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := loadConfig(filepath.Join(t.TempDir(), "none.yaml"), nil, nil); err == nil {
		t.Error("a missing file is accepted")
	}
}

func TestProductionRefusesWhatIsForTryingOut(t *testing.T) {
	_, err := load(t, "environment: production\nmobile_auth: {allow_http_callbacks: true}\n", nil)
	want := []string{"public_base_url: is missing", "keys.encryption_key: is missing", "mobile_auth.allow_http_callbacks: is on"}
	if err == nil || len(strings.Split(err.Error(), "\n")) != len(want) {
		t.Fatalf("got %v, want %d problems", err, len(want))
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	if _, err := load(t, "environment: production\npublic_base_url: http://ts.example\n", []string{"TOKENSERVER_KEYS_ENCRYPTION_KEY=" + newEncryptionKey()}); err == nil ||
		!strings.HasPrefix(err.Error(), "public_base_url: is not https") {
		t.Errorf("plain http: %v", err)
	}
	if _, err := load(t, "environment: production\npublic_base_url: https://ts.example\n", []string{"TOKENSERVER_KEYS_ENCRYPTION_KEY=" + newEncryptionKey()}); err != nil {
		t.Errorf("in order: %v", err)
	}
}

func TestPostgresNeedsASharedKey(t *testing.T) {
	_, err := load(t, "store: {dsn: 'postgres://a:hidden@b/c'}", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "keys.encryption_key: is missing") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte("hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, "", []string{"TOKENSERVER_REDIS_ADDRS=r:1", "TOKENSERVER_REDIS_PASSWORD_FILE=" + file})
	if err != nil || c.Redis.Password.Reveal() != "hidden" {
		t.Fatalf("%v, password %q", err, c.Redis.Password.Reveal())
	}
	if shown := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(shown, "hidden") {
		t.Error("a printed configuration shows a secret")
	}
	_, err = load(t, "", []string{"TOKENSERVER_REDIS_ADDRS=r:1", "TOKENSERVER_REDIS_PASSWORD=x", "TOKENSERVER_REDIS_PASSWORD_FILE=" + file})
	if err == nil || err.Error() != "redis.password and redis.password_file are both set: remove one" {
		t.Errorf("both: %v", err)
	}
	_, err = load(t, "", []string{"TOKENSERVER_KEYS_ENCRYPTION_KEY_FILE=" + filepath.Join(dir, "none")})
	if err == nil || !strings.HasPrefix(err.Error(), "keys.encryption_key_file: open ") {
		t.Errorf("missing: %v", err)
	}
	_, err = load(t, "", []string{"TOKENSERVER_KEYS_ENCRYPTION_KEY=hidden", "TOKENSERVER_KEYS_FORMER_KEYS=" + newEncryptionKey() + ",hidden"})
	if want := "keys.encryption_key: want 32 bytes in base64 or hex\nkeys.former_keys: number 2: want 32 bytes in base64 or hex"; err == nil || err.Error() != want {
		t.Errorf("malformed: %v, want %s", err, want)
	}
}

func TestPathsOfTheFileAreRelativeToIt(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(name, []byte("data_dir: state\nsettings_file: /etc/settings.yaml\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(name, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != filepath.Join(dir, "state") || c.SettingsFile != "/etc/settings.yaml" || c.Store.DSN.Path() != filepath.Join(dir, "state", "tokenserver.db") {
		t.Errorf("data_dir %s, settings_file %s, store %s", c.DataDir, c.SettingsFile, c.Store.DSN)
	}
}

func TestTheEncryptionKeyIsMadeOnce(t *testing.T) {
	c := Defaults()
	c.DataDir = filepath.Join(t.TempDir(), "data")
	first, made, err := c.OpenKeys()
	if err != nil || !made {
		t.Fatalf("first start: made %t, %v", made, err)
	}
	info, err := os.Stat(filepath.Join(c.DataDir, encryptionKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v, want -rw-------", info.Mode(), err)
	}
	again, made, err := c.OpenKeys()
	if err != nil || made {
		t.Fatalf("second start: made %t, %v", made, err)
	}
	if clear, err := again.Open(first.Seal([]byte("x"), "here"), "here"); err != nil || string(clear) != "x" {
		t.Errorf("the second start has another key: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.DataDir, ".new-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q %v", left, err)
	}
}

// TestEverySettingHasAnEffect: a documented setting that no code reads would be a lie.
func TestEverySettingHasAnEffect(t *testing.T) {
	unread := []string{"Console"} // listen.console: its documentation says so
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "config.go" || name == "config_validate.go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	var check func(of reflect.Type)
	check = func(of reflect.Type) {
		for i := range of.NumField() {
			field := of.Field(i)
			if field.Tag.Get("doc") == "" {
				check(field.Type)
				continue
			}
			name, isFile := strings.CutSuffix(field.Name, "File")
			if _, hasValue := of.FieldByName(name); isFile && hasValue {
				continue // readSecretFiles
			}
			if !regexp.MustCompile(`\.`+field.Name+`\b`).MatchString(code.String()) && !slices.Contains(unread, field.Name) {
				t.Errorf("%s.%s is read nowhere", of.Name(), field.Name)
			}
		}
	}
	check(reflect.TypeFor[Config]())
}

// FuzzConfigFile: whatever a configuration file holds, nothing panics and a secret in it is never quoted.
func FuzzConfigFile(f *testing.F) {
	f.Add("listen: {public: ':1'}\n")
	f.Add("redis:\n  addrs: [a:1, b:2]\n  password: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "_file") {
			return // the fuzzer does not read what it finds on this machine
		}
		name := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := loadConfig(name, nil, nil)
		if err == nil && !c.Redis.Password.Empty() {
			t.Error("a secret was read from the file")
		}
	})
}
