package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"tokenserver/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run runs the tests, stops what they share and writes what the servers' audit logs have shown.
func run(m *testing.M) int {
	flag.Parse()
	if all.binary == "" {
		_, _ = fmt.Fprintln(os.Stderr, "e2e: TOKENSERVER_BIN names no binary: use make e2e")
		if testenv.Required() {
			return 1
		}
		return 0
	}
	code := m.Run()
	if err := all.close(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "e2e: stop:", err)
		code = max(code, 1)
	}
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	if err := all.coverage.report(all.root, whole && code == 0); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "e2e: audit coverage:", err)
		code = max(code, 1)
	}
	return code
}

// all is what the tests share.
var all = newSuite()

// suite is the binary under test, the shared deployments and what was seen of the catalogue.
type suite struct {
	root     string // of the repository
	binary   string // absolute path; empty: not given
	coverage *coverage

	mu     sync.Mutex
	shared map[string]*sharedDeployment
}

// sharedDeployment is started by the first test that needs it.
type sharedDeployment struct {
	once       sync.Once
	deployment *deployment
	err        error
}

func newSuite() *suite {
	s := &suite{root: repository(), coverage: newCoverage(), shared: map[string]*sharedDeployment{}}
	if named := os.Getenv("TOKENSERVER_BIN"); named != "" {
		if !filepath.IsAbs(named) {
			named = filepath.Join(s.root, named)
		}
		if _, err := os.Stat(named); err == nil {
			s.binary = named
		}
	}
	return s
}

// repository is the folder of go.mod above the working folder.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for ; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil || dir == filepath.Dir(dir) || !errors.Is(err, fs.ErrNotExist) {
			return dir
		}
	}
}

// close stops the shared deployments.
func (s *suite) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, d := range s.shared {
		if d.deployment != nil {
			errs = append(errs, d.deployment.close())
		}
	}
	return errors.Join(errs...)
}

// share returns the deployment of that name, started at the first call.
func (s *suite) share(t *testing.T, name string, start func(name string) (*deployment, error)) *deployment {
	t.Helper()
	s.mu.Lock()
	shared := s.shared[name]
	if shared == nil {
		shared = &sharedDeployment{}
		s.shared[name] = shared
	}
	s.mu.Unlock()
	shared.once.Do(func() { shared.deployment, shared.err = start(name) })
	if errors.Is(shared.err, testenv.ErrMissing) && !testenv.Required() {
		t.Skipf("%v; make deps installs it", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.deployment
}

// embedded returns the shared deployment of one process on embedded stores.
func embedded(t *testing.T) *deployment {
	t.Helper()
	return all.share(t, "embedded", startEmbedded)
}

// cluster returns the shared deployment of two processes on PostgreSQL and Redis.
func cluster(t *testing.T) *deployment {
	t.Helper()
	return all.share(t, "cluster", func(name string) (*deployment, error) { return startCluster(name, clusterOptions{}) })
}
