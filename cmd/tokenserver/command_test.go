package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/settings"
	"tokenserver/internal/testenv"
)

// shell runs commands of the program in a data folder of their own.
type shell struct {
	environ []string
	dir     string
}

func newShell(t *testing.T, environ ...string) *shell {
	t.Helper()
	dir := t.TempDir()
	return &shell{environ: append([]string{"TOKENSERVER_DATA_DIR=" + filepath.Join(dir, "data")}, environ...), dir: dir}
}

// run executes one command line and returns what it printed.
func (s *shell) run(t *testing.T, in string, args ...string) (code int, out, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{in: strings.NewReader(in), out: &stdout, err: &stderr, environ: s.environ, now: func() time.Time { return time.Now().UTC() }}
	code = p.run(t.Context(), args)
	return code, stdout.String(), stderr.String()
}

// ok is run for what must succeed.
func (s *shell) ok(t *testing.T, in string, args ...string) string {
	t.Helper()
	code, out, complaints := s.run(t, in, args...)
	if code != 0 {
		t.Fatalf("%q ended with %d: %s%s", args, code, out, complaints)
	}
	return out
}

const someSettings = `
scopes: [{id: read}]
api_clients:
  - client_id: backend
    scopes: [onegini_api_events]
callbacks:
  - url: https://portal.example/result
users:
  - {id: u-1, username: ann, password: a long password}
`

func TestAdminAppliesAndExports(t *testing.T) {
	s := newShell(t)
	if got, want := s.ok(t, someSettings, "admin", "apply", "--dry-run", "-"), `+ features
+ mobile_authentication
+ oauth
+ saml
+ sms
+ scope read
+ pin_policy default
+ identity_provider accounts
+ api_client backend
+ callback https://portal.example/result
+ user u-1
Dry run: 11 to create, 0 to update, 0 to remove.
`; got != want {
		t.Errorf("dry run:\n%s\nwant\n%s", got, want)
	}
	applied := s.ok(t, someSettings, "admin", "apply", "-")
	for _, want := range []string{
		"The settings are at version 1 now; running servers follow within two seconds.",
		"Made for api_client backend, and shown only now:\n  client_secret: ",
		"Made for callback https://portal.example/result, and shown only now:\n  signing_secret: whsec_",
	} {
		if !strings.Contains(applied, want) {
			t.Errorf("applied:\n%s\nwant %s", applied, want)
		}
	}
	exported := s.ok(t, "", "admin", "export")
	for _, in := range []string{someSettings, exported} {
		if got, want := s.ok(t, in, "admin", "apply", "-"), "Nothing to change: the settings are at version 1.\n"; got != want {
			t.Errorf("again:\n%swant\n%s", got, want)
		}
	}
	var changes settings.Changes
	if err := json.Unmarshal([]byte(s.ok(t, "scopes: []", "admin", "apply", "--json", "--dry-run", "-")), &changes); err != nil {
		t.Fatal(err)
	}
	if changes.Count(settings.Removed) != 3 || changes.Version != 1 {
		t.Errorf("as JSON: %+v, want three to remove", changes)
	}
	code, _, complaints := s.run(t, "scopes: [{id: 'a b'}]\nos_rules: [{platform: x, minimum_version: '1'}]", "admin", "apply", "-")
	if want := "tokenserver: - cannot be applied:\nscopes[0].id: \"a b\" is malformed: want 1 to 255 letters, digits, _ - : .\nos_rules[0].platform: \"x\" is unknown: want android or ios\n"; code != 1 || complaints != want {
		t.Errorf("invalid: %d\n%s\nwant 1\n%s", code, complaints, want)
	}
}

func TestAdminFollowsFilesBesideTheDocument(t *testing.T) {
	s := newShell(t)
	for name, text := range map[string]string{
		"settings.yaml": "users:\n  - {id: u, username: u, password: {file: password}}\n", "password": "from a file\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.ok(t, "", "admin", "apply", filepath.Join(s.dir, "settings.yaml"))
	if out := s.ok(t, "users: [{id: u, username: u, password: from a file}]", "admin", "apply", "-"); !strings.HasPrefix(out, "Nothing to change") {
		t.Errorf("the password is another one: %s", out)
	}
}

func TestOddFileNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `o dd?mode=memory&#%41 ü'";name`)
	s := &shell{environ: []string{"TOKENSERVER_DATA_DIR=" + dir}}
	s.ok(t, someSettings, "admin", "apply", "-")
	if _, err := os.Stat(filepath.Join(dir, "tokenserver.db")); err != nil {
		t.Errorf("the database is elsewhere: %v", err)
	}
	if out := s.ok(t, "", "admin", "export"); !strings.Contains(out, "id: read") {
		t.Errorf("the settings were not kept:\n%s", out)
	}
}

func TestCheckFindsWhatKeepsTheServerFromStarting(t *testing.T) {
	s := newShell(t)
	if got := s.ok(t, "", "check"); got != "Everything is in order.\n" {
		t.Errorf("nothing is there yet: %s", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data")); err == nil {
		t.Error("check has made the data folder")
	}
	s.ok(t, "applications: [{id: a, development_mode: true, redirect_url: 'a://b'}]", "admin", "apply", "-")
	s.ok(t, "", "check")

	key := filepath.Join(s.dir, "key")
	if err := os.Rename(filepath.Join(s.dir, "data", encryptionKeyFile), key); err != nil {
		t.Fatal(err)
	}
	production := &shell{environ: append(s.environ, "TOKENSERVER_ENVIRONMENT=production", "TOKENSERVER_PUBLIC_BASE_URL=https://ts.example",
		"TOKENSERVER_KEYS_ENCRYPTION_KEY_FILE="+key, "TOKENSERVER_REDIS_ADDRS=127.0.0.1:1", "TOKENSERVER_SETTINGS_FILE="+filepath.Join(s.dir, "none"))}
	code, _, complaints := production.run(t, "", "check")
	for _, want := range []string{
		"settings_file: ", "open " + filepath.Join(s.dir, "none"), "the stored settings do not fit the configuration",
		"applications[0].development_mode: is on", "reach Redis",
	} {
		if code != 1 || !strings.Contains(complaints, want) {
			t.Errorf("ended with %d:\n%s\nwant %s", code, complaints, want)
		}
	}
	if code, _, complaints := production.run(t, "", "check", "--offline"); code != 1 || strings.Contains(complaints, "Redis") {
		t.Errorf("offline: %d\n%s", code, complaints)
	}
}

func TestMigrate(t *testing.T) {
	for name, environ := range map[string][]string{
		"sqlite":   nil,
		"postgres": {"TOKENSERVER_STORE_DSN=" + testenv.Postgres(t), "TOKENSERVER_KEYS_ENCRYPTION_KEY=" + newEncryptionKey()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t, environ...)
			code, out, complaints := s.run(t, "", "migrate", "status")
			if code != 1 || !strings.HasPrefix(out, "The schema is at version 0; this release needs ") {
				t.Errorf("before: %d %s%s", code, out, complaints)
			}
			if name == "postgres" {
				if code, _, complaints := s.run(t, "", "admin", "export"); code != 1 || !strings.Contains(complaints, "run tokenserver migrate up") {
					t.Errorf("on an older schema: %d %s", code, complaints)
				}
			}
			up := s.ok(t, "", "migrate", "up")
			if again := s.ok(t, "", "migrate"); again != up {
				t.Errorf("again: %s, want %s", again, up)
			}
			s.ok(t, "", "migrate", "status")
			s.ok(t, someSettings, "admin", "apply", "-")
			if code, _, _ := s.run(t, "", "migrate", "down"); code != exitUsage {
				t.Errorf("down without --yes: %d, want %d", code, exitUsage)
			}
			down := s.ok(t, "", "migrate", "down", "--yes")
			if down == up {
				t.Errorf("down: %s", down)
			}
			if again := s.ok(t, "", "migrate", "up"); again != up {
				t.Errorf("up again: %s, want %s", again, up)
			}
		})
	}
}

func TestKeysRotate(t *testing.T) {
	s := newShell(t)
	if out := s.ok(t, "", "keys", "list"); strings.Count(out, "\n") != 1 {
		t.Errorf("before the first: %s", out)
	}
	if code, _, complaints := s.run(t, "", "keys", "rotate"); code != 1 || !strings.Contains(complaints, "--force overrules") {
		t.Errorf("right after the first start: %d %s", code, complaints)
	}
	once := s.ok(t, "", "keys", "rotate", "--force")
	twice := s.ok(t, "", "keys", "rotate", "--force")
	ids := func(out string) map[string]string {
		slots := map[string]string{}
		for _, line := range strings.Split(out, "\n")[1:] {
			if fields := strings.Fields(line); len(fields) == 4 {
				slots[fields[0]] = fields[3]
			}
		}
		return slots
	}
	first, second := ids(once), ids(twice)
	if len(second) != 3 || second["previous"] != first["current"] || second["current"] != first["next"] || second["next"] == first["next"] {
		t.Errorf("once\n%s\ntwice\n%s", once, twice)
	}
	changed := s.ok(t, "", "keys", "algorithm", "PS256", "--force")
	if third := ids(changed); third["previous"] != second["current"] || strings.Count(changed, "PS256") != 2 {
		t.Errorf("another algorithm\n%s", changed)
	}
	if code, _, complaints := s.run(t, "", "keys", "algorithm", "PS512"); code != 1 || !strings.Contains(complaints, "--force overrules") {
		t.Errorf("too soon: %d %s", code, complaints)
	}
	if same := s.ok(t, "", "keys", "algorithm", "PS256"); same != changed {
		t.Errorf("the same algorithm\n%s", same)
	}
	if code, _, _ := s.run(t, "", "keys", "algorithm", "HS256"); code != exitUsage {
		t.Errorf("unknown algorithm: %d, want %d", code, exitUsage)
	}
	if k, err := parseKey(s.ok(t, "", "keys", "new")); err != nil || len(k) != encryptionKeyBytes {
		t.Errorf("a new encryption key: %v", err)
	}
}

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	s := newShell(t)
	for _, args := range [][]string{
		{"bogus"}, {"check", "more"}, {"admin", "apply"}, {"--bogus"}, {"admin", "bogus"}, {"config", "--listen-pubic=x"},
	} {
		if code, _, complaints := s.run(t, "", args...); code != exitUsage || !strings.Contains(complaints, "tokenserver --help") {
			t.Errorf("%q: %d %s, want %d", args, code, complaints, exitUsage)
		}
	}
	if code, _, complaints := s.run(t, "", "config", "--log-level=loud"); code != 1 || !strings.Contains(complaints, "log.level") {
		t.Errorf("a bad value: %d %s", code, complaints)
	}
}

func TestHelpTeaches(t *testing.T) {
	s := newShell(t)
	for _, args := range [][]string{{"--help"}, {"admin", "apply", "--help"}, {"config", "--help"}, {"migrate", "--help"}, {"check", "--help"}} {
		if out := s.ok(t, "", args...); !strings.Contains(out, "Examples:") {
			t.Errorf("%q has no examples:\n%s", args, out)
		}
	}
	if out := s.ok(t, "", "version"); !strings.HasPrefix(out, "tokenserver ") {
		t.Errorf("version: %s", out)
	}
}

func TestTheConfigurationPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if now := newShell(t).ok(t, "", "config", "--docs"); now != string(page) {
		t.Error("docs/configuration.md is out of date: run make docs")
	}
}

// TestCheckReadsTemplateSets: what is wrong with them keeps the server from starting, and so does a client that names one
// that is not there.
func TestCheckReadsTemplateSets(t *testing.T) {
	s := newShell(t)
	sets := filepath.Join(s.dir, "sets")
	page := filepath.Join(sets, "harbour", "templates", "error.html")
	if err := os.MkdirAll(filepath.Dir(page), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte("{{define \"page\"}}\n{{.Page.Cose}}{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := &shell{environ: append(s.environ, "TOKENSERVER_PAGES_TEMPLATE_SETS="+sets)}
	code, _, complaints := with.run(t, "", "check")
	if want := "pages.template_sets: template: " + page + ":2:"; code != 1 || !strings.Contains(complaints, want) {
		t.Errorf("check ended with %d:\n%s\nwant %s", code, complaints, want)
	}
	if code, _, complaints := with.run(t, "oauth: {template_set: harbor}", "admin", "apply", "-"); code != 1 ||
		!strings.Contains(complaints, `oauth.template_set: "harbor" is no folder of pages.template_sets`) {
		t.Errorf("apply ended with %d:\n%s", code, complaints)
	}
	if err := os.WriteFile(page, []byte("{{define \"page\"}}{{.Page.Code}}{{end}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	with.ok(t, "oauth: {template_set: harbour}", "admin", "apply", "-")
	with.ok(t, "", "check")
}
