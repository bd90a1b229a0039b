package outbound_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/internal/outbound"
)

// get fetches address and returns the body; the response is closed when it returns.
func get(t *testing.T, client *http.Client, address string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatalf("new request: %v", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestForbiddenAddresses(t *testing.T) {
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port
	client := outbound.New(outbound.Config{})

	for _, host := range []string{
		"127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "0.0.0.0", "[::]", "[::1]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]",
		"10.0.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
		"[fd00::1]", "[fe80::1]", "[fe80::1%25lo]", "[ff02::1]",
		"2130706433", "0x7f000001", "0X7F.0.0.1", "0x7f.1", "127.1", "127.0.1", "017700000001", "0177.0.0.1", "127.0.0.0x1",
		"127.0.0.1.", "evil.0x", ".", "name..",
	} {
		t.Run(host, func(t *testing.T) {
			_, _, err := get(t, client, "http://"+host+":"+strconv.Itoa(port)+"/?key=s3cret")
			if !errors.Is(err, outbound.ErrForbidden) {
				t.Errorf("error = %v, want ErrForbidden", err)
			}
		})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests reached the loopback server", n)
	}
}

func TestAllowListIsPerPurpose(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	for _, tc := range []struct {
		name  string
		allow []netip.Prefix
		host  string
		ok    bool
	}{
		{"loopback allowed", outbound.Loopback(), "127.0.0.1", true},
		{"by name", outbound.Loopback(), "localhost", true},
		{"mapped form of an allowed address", outbound.Loopback(), "[::ffff:127.0.0.1]", true},
		{"one address", []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "127.0.0.1", true},
		{"another address of the same block", []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, "127.0.0.1", false},
		{"another block", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "127.0.0.1", false},
		{"unspecified is not loopback", outbound.Loopback(), "0.0.0.0", false},
		{"numbers stay refused", outbound.Loopback(), "2130706433", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := outbound.New(outbound.Config{AllowPrivate: tc.allow})
			_, body, err := get(t, client, "http://"+tc.host+":"+port)
			switch {
			case tc.ok && (err != nil || string(body) != "in"):
				t.Errorf("body %q, error %v", body, err)
			case !tc.ok && !errors.Is(err, outbound.ErrForbidden):
				t.Errorf("error = %v, want ErrForbidden", err)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	var target atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.Load().(string), http.StatusFound)
	})
	mux.HandleFunc("/end", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "end") })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	plain := httptest.NewServer(mux)
	defer plain.Close()
	secure := httptest.NewTLSServer(mux)
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())

	config := func(follow bool) *http.Client {
		return outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), RootCAs: roots, FollowRedirects: follow})
	}
	t.Run("not followed unless asked", func(t *testing.T) {
		target.Store("/end")
		resp, _, err := get(t, config(false), plain.URL+"/away")
		if err != nil || resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/end" {
			t.Errorf("answer %v, error %v", resp, err)
		}
	})
	t.Run("followed when asked", func(t *testing.T) {
		target.Store("/end")
		_, body, err := get(t, config(true), plain.URL+"/away")
		if err != nil || string(body) != "end" {
			t.Errorf("body %q, error %v", body, err)
		}
	})
	t.Run("the next address is judged too", func(t *testing.T) {
		target.Store("http://169.254.169.254/latest/meta-data")
		_, _, err := get(t, config(true), plain.URL+"/away")
		if !errors.Is(err, outbound.ErrForbidden) {
			t.Errorf("error = %v, want ErrForbidden", err)
		}
	})
	t.Run("never out of TLS", func(t *testing.T) {
		target.Store(plain.URL + "/end")
		_, _, err := get(t, config(true), secure.URL+"/away")
		if err == nil || !strings.Contains(err.Error(), "redirect refused") {
			t.Errorf("error = %v, want a refused redirect", err)
		}
	})
	t.Run("not for ever", func(t *testing.T) {
		_, _, err := get(t, config(true), plain.URL+"/loop")
		if err == nil || !strings.Contains(err.Error(), "redirect refused") {
			t.Errorf("error = %v, want a refused redirect", err)
		}
	})
}

func TestBodyCap(t *testing.T) {
	const limit = 1000
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(make([]byte, 50*limit))
	_ = zip.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("/announced/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(make([]byte, n))
	})
	mux.HandleFunc("/streamed/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n"))
		w.(http.Flusher).Flush()
		_, _ = w.Write(make([]byte, n))
	})
	mux.HandleFunc("/packed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), MaxBody: limit})

	for _, tc := range []struct {
		path string
		read int // bytes handed over
		over bool
	}{
		{"/announced/0", 0, false},
		{"/announced/999", 999, false},
		{"/announced/1000", 1000, false},
		{"/announced/1001", 0, true},
		{"/streamed/0", 0, false},
		{"/streamed/1000", 1000, false},
		{"/streamed/1001", 1000, true},
		{"/streamed/100000", 1000, true},
		{"/packed", 1000, true}, // counted after decompression
	} {
		t.Run(tc.path, func(t *testing.T) {
			_, body, err := get(t, client, server.URL+tc.path)
			if errors.Is(err, outbound.ErrTooLarge) != tc.over || (err != nil && !tc.over) {
				t.Errorf("error = %v, want too large: %v", err, tc.over)
			}
			if len(body) != tc.read {
				t.Errorf("read %d bytes, want %d", len(body), tc.read)
			}
		})
	}

	t.Run("HEAD announces a body that never comes", func(t *testing.T) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+"/announced/5000", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("head: %v", err)
		}
		_ = resp.Body.Close()
	})
}

func TestHTTP2UserAgentAndClientCertificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.Header.Get("User-Agent"))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), RootCAs: roots})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	req.Header.Set("User-Agent", "something else")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, _ := io.ReadAll(resp.Body); string(body) != "HTTP/2.0 "+outbound.UserAgent {
		t.Errorf("body = %q", body)
	}
	if got := req.Header.Get("User-Agent"); got != "something else" {
		t.Errorf("the caller's request was changed: User-Agent %q", got)
	}

	t.Run("unknown authority", func(t *testing.T) {
		_, _, err := get(t, outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}), server.URL)
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) {
			t.Errorf("error = %v, want an unknown authority", err)
		}
	})
}

func TestConnectionsPerHost(t *testing.T) {
	var open, most atomic.Int64
	release := make(chan struct{})
	arrived := make(chan struct{}, 8)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := open.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			continue
		}
		arrived <- struct{}{}
		<-release
		open.Add(-1)
	}))
	defer server.Close()
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), MaxPerHost: 2})

	done := make(chan error, 8)
	for range 8 {
		go func() { _, _, err := get(t, client, server.URL); done <- err }()
	}
	for range 2 {
		<-arrived
	}
	close(release)
	for range 8 {
		if err := <-done; err != nil {
			t.Errorf("get: %v", err)
		}
	}
	if n := most.Load(); n != 2 {
		t.Errorf("%d requests at once, want 2", n)
	}
}

func TestTimeoutCoversTheBody(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	defer close(release)
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), Timeout: 50 * time.Millisecond})
	_, _, err := get(t, client, server.URL)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("error = %v, want a time-out", err)
	}
}

func TestWithoutQuery(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"no URL", refused, "connection refused"},
		{"query, fragment and user", &url.Error{Op: "Get", URL: "https://u:pw@h.example:8443/p?key=1#f", Err: refused}, `Get "https://h.example:8443/p": connection refused`},
		{"nested", &url.Error{Op: "Post", URL: "https://a.example/?k=1", Err: &url.Error{Op: "Get", URL: "https://b.example/?k=2", Err: refused}}, `Post "https://a.example/": Get "https://b.example/": connection refused`},
		{"not a URL", &url.Error{Op: "parse", URL: "https://h.example/%zz?key=1", Err: refused}, `parse "(unreadable URL)": connection refused`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outbound.WithoutQuery(tc.err)
			if got.Error() != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !errors.Is(got, refused) {
				t.Error("the cause is lost")
			}
		})
	}
	if outbound.WithoutQuery(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestCancelledContext(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader("x"))
	resp, err := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}).Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}
