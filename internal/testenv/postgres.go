package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser     = "tokenserver"
	postgresReady = 60 * time.Second
)

// PostgresOptions changes what StartPostgres starts; the zero value is a durable server with its usual settings.
type PostgresOptions struct {
	NoSync   bool              // a crash of the machine may lose data; a kill of the server does not
	Settings map[string]string // further settings of postgresql.conf
}

// PostgresServer is a private PostgreSQL cluster. Its methods are for one goroutine.
type PostgresServer struct {
	options PostgresOptions
	bin     string // path of the postgres program
	dir     string // holds data, socket and log
	user    *syscall.Credential
	port    int
	process *process
}

// StartPostgres makes a new cluster and starts it. Errors: ErrMissing.
func StartPostgres(options PostgresOptions) (*PostgresServer, error) {
	folders := postgresFolders()
	initdb, err := lookPath("initdb", folders...)
	if err != nil {
		return nil, err
	}
	// Beside initdb first: the two must be of one version, and Debian puts neither on the PATH.
	bin, err := exec.LookPath(filepath.Join(filepath.Dir(initdb), "postgres"))
	if err != nil {
		if bin, err = lookPath("postgres", folders...); err != nil {
			return nil, err
		}
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tokenserver-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	s := &PostgresServer{options: options, bin: bin, dir: dir, user: owner}
	if err := s.create(initdb); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	for try := 1; ; try++ {
		ports, err := freePorts(1)
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
		s.port = ports[0]
		if err = s.run(); err == nil {
			return s, nil
		}
		if try == startTries {
			_ = os.RemoveAll(dir)
			return nil, err
		}
	}
}

func postgresFolders() []string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(folders, func(i, j int) bool { return postgresMajor(folders[i]) < postgresMajor(folders[j]) })
	return folders
}

func postgresMajor(folder string) int {
	major, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return major
}

// unprivileged returns the user that runs PostgreSQL: nil for ourselves, another one when we are root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil // no credential means no change of user
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("postgresql refuses to run as root, and there is no user postgres or nobody")
}

func (s *PostgresServer) create(initdb string) error {
	if s.user != nil {
		if err := os.Chown(s.dir, int(s.user.Uid), int(s.user.Gid)); err != nil {
			return fmt.Errorf("hand the folder over: %w", err)
		}
	}
	cmd := exec.Command(initdb, "-D", filepath.Join(s.dir, "data"), "-U", superuser,
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

func (s *PostgresServer) run() error {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.port),
		"unix_socket_directories": s.dir,
		"max_connections":         "300",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if s.options.NoSync {
		settings["fsync"], settings["synchronous_commit"], settings["full_page_writes"] = "off", "off", "off"
	}
	for name, value := range s.options.Settings {
		settings[name] = value
	}
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	args := []string{"-D", filepath.Join(s.dir, "data")}
	for _, name := range names {
		args = append(args, "-c", name+"="+settings[name])
	}
	process, err := launch(command{
		path: s.bin, args: args, dir: s.dir, log: s.LogFile(), user: s.user,
		stop:   syscall.SIGINT,  // "fast": does not wait for clients
		orphan: syscall.SIGQUIT, // "immediate": takes the back ends along, which a kill would leave
	})
	if err != nil {
		return err
	}
	err = process.waitReady(postgresReady, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		process.halt()
		return fmt.Errorf("postgres: %w", err)
	}
	s.process = process
	return nil
}

// DSN returns the address of a database in the cluster; "postgres" always exists.
func (s *PostgresServer) DSN(database string) string {
	return "postgres://" + superuser + "@" + loopback(s.port) + "/" + url.PathEscape(database) + "?sslmode=disable"
}

// CreateDatabase makes an empty database and returns its DSN.
func (s *PostgresServer) CreateDatabase(ctx context.Context, name string) (string, error) {
	return createDatabase(ctx, s.DSN("postgres"), name)
}

// LogFile is the path of the server's log; it goes away with Stop.
func (s *PostgresServer) LogFile() string { return filepath.Join(s.dir, "postgres.log") }

// Stop ends the cluster and removes its data.
func (s *PostgresServer) Stop() {
	s.process.halt()
	_ = os.RemoveAll(s.dir)
}

// Kill ends the cluster at once and keeps its data: what a crash leaves. Restart brings it back.
func (s *PostgresServer) Kill() { s.process.kill() }

// Restart stops the cluster if it runs and starts it again on the same port with the same data.
func (s *PostgresServer) Restart() error {
	s.process.halt()
	return s.run()
}

// Pause freezes the cluster: connections stay open and nothing answers, until Continue.
func (s *PostgresServer) Pause() { s.process.signalAll(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *PostgresServer) Continue() { s.process.signalAll(syscall.SIGCONT) }

// PID is the process id of the postmaster.
func (s *PostgresServer) PID() int { return s.process.cmd.Process.Pid }

func createDatabase(ctx context.Context, admin, name string) (string, error) {
	dsn, err := withDatabase(admin, name)
	if err != nil {
		return "", err
	}
	return dsn, execute(ctx, admin, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
}

func dropDatabase(ctx context.Context, admin, name string) error {
	return execute(ctx, admin, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

func execute(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to postgresql: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(strings.Fields(statement)[:2], " "), err)
	}
	return nil
}

// withDatabase returns dsn, a URL, with another database name.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errors.New("the PostgreSQL DSN must be a postgres:// URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}
