package settings_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
	"tokenserver/store/redisstore"
	"tokenserver/store/sqlstore"
)

// world is one SQL store and the means to make services on it.
type world struct {
	dsn   string
	sql   *sqlstore.Store
	redis *redisstore.Store
	keys  *secret.Keys
	now   func() time.Time
}

func newWorld(t *testing.T, dsn string) *world {
	t.Helper()
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	}
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeys(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return &world{dsn: dsn, sql: db, keys: keys, now: time.Now}
}

func (w *world) service() *settings.Service {
	s := &settings.Service{
		Documents: w.sql, Accounts: w.sql, Installations: w.sql, Keys: w.keys,
		Audit: &audit.Recorder{Now: w.now}, Now: w.now, Log: slog.New(slog.DiscardHandler),
		Tokens: &token.Service{Families: w.sql, Revocations: &token.Revocations{Store: w.sql, Hints: deaf{}, Now: w.now}, Now: w.now},
	}
	if w.redis != nil {
		s.Hints = w.redis
	}
	return s
}

// deaf hears no hints.
type deaf struct{}

func (deaf) Hint(context.Context, string) error { return nil }

func (deaf) Hints(context.Context, string) <-chan struct{} { return nil }

// full is a document that uses everything.
func full(t *testing.T) settings.Document {
	t.Helper()
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SETTINGS_TEST_SECRET", strings.Repeat("s", 40))
	dir := t.TempDir()
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "apns.p8", private(t, elliptic))
	write(t, dir, "account.json", serviceAccount(t))
	d, err := settings.Parse([]byte(strings.Replace(string(text), "PUBLICKEY", indent(public(t, elliptic)), 1)), dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func private(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func public(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func indent(text string) string {
	return "      " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n      ")
}

// rsaKey is made once: making one takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "bank", "client_email": "push@bank.iam.example",
		"private_key": private(t, key), "token_uri": "https://oauth2.example/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func apply(t *testing.T, s *settings.Service, d settings.Document) settings.Changes {
	t.Helper()
	changes, err := s.Apply(t.Context(), d, "ann")
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return changes
}

// events reads the stored codes with their details, through a connection of its own.
func (w *world) events(t *testing.T) []string {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(w.dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT code, admin_user, details FROM audit_events ORDER BY sequence`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var code, admin, details string
		if err := rows.Scan(&code, &admin, &details); err != nil {
			t.Fatal(err)
		}
		all = append(all, code+" "+admin+" "+details)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestApplyIsCompleteAndIdempotent(t *testing.T) {
	w := newWorld(t, "")
	s := w.service()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := full(t)

	first := apply(t, s, d)
	if first.Version != 1 || first.Count(settings.Created) != len(first.List) || len(first.List) != 25 {
		t.Fatalf("first: version %d, %d created of %d, want 1 and 25 of 25: %+v", first.Version, first.Count(settings.Created), len(first.List), first.List)
	}
	if len(first.Generated) != 1 || !strings.HasPrefix(first.Generated[0].Value, "whsec_") || first.Generated[0].Name != "https://portal.example/result" {
		t.Fatalf("generated %+v, want one signing secret", first.Generated)
	}
	now := s.Current()
	if now.Number != 1 || now.Callback("https://portal.example/result").SigningSecret.Reveal() != first.Generated[0].Value {
		t.Fatal("the snapshot does not hold the generated secret")
	}
	if !w.keys.Equal(secret.ForClientSecret, now.APIClient("backend").Secret.Digest, strings.Repeat("s", 40)) {
		t.Fatal("the client secret does not match its digest")
	}
	if !now.APIClient("backend").Secret.Secret.IsZero() {
		t.Fatal("the snapshot holds a client secret in clear")
	}
	if got := now.PushConfiguration("apns").SigningKey.Reveal(); got != d.PushConfigurations[0].SigningKey.Reveal() {
		t.Fatal("the APNs key came back changed")
	}

	for name, again := range map[string]func() settings.Document{
		"the same document": func() settings.Document { return d },
		"the export":        func() settings.Document { return export(t, s) },
		"the export as YAML": func() settings.Document {
			var text bytes.Buffer
			if err := export(t, s).WriteYAML(&text); err != nil {
				t.Fatal(err)
			}
			for _, hidden := range []string{"PRIVATE KEY", "correct horse", "password: a", "whsec_", "ssss", "argon2"} {
				if strings.Contains(text.String(), hidden) {
					t.Fatalf("the export shows %q:\n%s", hidden, text.String())
				}
			}
			back, err := settings.Parse(text.Bytes(), "")
			if err != nil {
				t.Fatalf("%v\n%s", err, text.String())
			}
			return back
		},
		"the export as JSON": func() settings.Document {
			text, err := json.Marshal(export(t, s))
			if err != nil {
				t.Fatal(err)
			}
			var back settings.Document
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatal(err)
			}
			return back
		},
	} {
		if changes := apply(t, s, again()); !changes.Empty() || changes.Version != 1 || len(changes.Generated) != 0 {
			t.Errorf("%s: %+v, want no change", name, changes)
		}
	}
	want := []string{`SETTINGS_APPLIED ann {"version":1,"created":25,"updated":0,"removed":0}`}
	if got := w.events(t); !reflect.DeepEqual(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func export(t *testing.T, s *settings.Service) settings.Document {
	t.Helper()
	d, err := s.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// flaky is a store that does not tell the version.
type flaky struct {
	Documents
	asked chan struct{}
}

// Documents is what a service needs of the store.
type Documents interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	SettingsVersion(ctx context.Context) (int64, error)
	LockSettings(ctx context.Context) (int64, error)
	Settings(ctx context.Context) ([]store.Setting, error)
	WriteSettings(ctx context.Context, put, remove []store.Setting) (int64, error)
}

func (f *flaky) SettingsVersion(context.Context) (int64, error) {
	select {
	case f.asked <- struct{}{}:
	default:
	}
	return 0, store.ErrUnavailable
}

func TestUsersAreNotInSnapshots(t *testing.T) {
	s := newWorld(t, "").service()
	apply(t, s, full(t))
	if n := len(s.Current().Document.Users); n != 0 {
		t.Errorf("the snapshot holds %d users: accounts may be many and are read one by one", n)
	}
}
