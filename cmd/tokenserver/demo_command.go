package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tokenserver/cmd/tokenserver/demo"
	"tokenserver/internal/secret"
)

func (p *program) demoCommand() *cobra.Command {
	var once, asJSON bool
	var page string
	c := &cobra.Command{
		Use: "demo", Short: "Show the main job: a server, a phone, a portal, and every step in the audit log", Args: noArgs,
		Annotations: map[string]string{needsNoConfig: "yes"},
		Long: `demo starts a server on throw-away stores, stand-ins of Google's and Apple's push services, a portal
and a virtual phone, walks the main job step by step, and stays up with a web page: press buttons as the
portal, answer on the phone, watch the audit log. Nothing of it outlives the process.`,
		Example: "  tokenserver demo\n  tokenserver demo --once --json",
	}
	c.Flags().BoolVar(&once, "once", false, "end after the walk; the exit status is 0 when every step was as expected")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each step")
	c.Flags().StringVar(&page, "page", "127.0.0.1:7881", "address of the web page")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		d := demoRun{program: p, once: once, asJSON: asJSON, page: page}
		return d.run(cmd.Context())
	}
	return c
}

// demoRun is one run of the demo.
type demoRun struct {
	*program
	once, asJSON bool
	page         string
}

func (d *demoRun) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "tokenserver-demo-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder left behind does no harm
	world, err := demo.NewWorld(d.now, secret.NewToken)
	if err != nil {
		return err
	}
	defer func() { _ = world.Close() }() // the process ends
	if err := d.configure(ctx, world, dir); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(d.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := d.openServer(ctx, log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving) }()
	err = d.show(ctx, s, world)
	stop()
	return errors.Join(err, <-ended)
}

// configure makes the configuration of a laptop with the stand-ins in it.
func (d *demoRun) configure(ctx context.Context, world *demo.World, dir string) error {
	text, err := world.Settings()
	if err != nil {
		return err
	}
	const ownerOnly = 0o600
	file := filepath.Join(dir, "settings.yaml")
	if err := os.WriteFile(file, text, ownerOnly); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	public, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	c := Defaults()
	c.DataDir, c.SettingsFile, c.PublicBaseURL = dir, file, "http://"+public
	c.Store.DSN = DSN{"sqlite:" + filepath.Join(dir, "tokenserver.db")}
	c.Listen = ListenConfig{Public: public, Console: "127.0.0.1:0", Operations: "127.0.0.1:0"}
	c.Push.FCMEndpoint = world.FCM.Endpoint()
	c.Outbound.AllowPrivate = AllowPrivateConfig{Push: loopback, Callback: loopback}
	c.MobileAuth.AllowHTTPCallbacks = true
	if err := c.Validate(); err != nil {
		return err
	}
	d.config = c
	return nil
}

// show walks the main job, then serves the page until ctx ends.
func (d *demoRun) show(ctx context.Context, s *server, world *demo.World) error {
	base := s.config.Issuer()
	if !d.asJSON {
		fmt.Fprintf(d.out, "\n  tokenserver demo: the main job, on a server at %s\n\n", base)
	}
	walk := &demo.Walk{World: world, BaseURL: base, Log: s.sql, Tell: func(step demo.Step) { d.tell(step) }}
	if err := walk.Run(ctx); err != nil {
		return err
	}
	if d.once {
		return nil
	}
	page := &demo.Page{World: world, BaseURL: base, Log: s.sql, Phone: walk.Phone, ProfileID: walk.ProfileID, Logger: s.log}
	handler, err := page.Handler()
	if err != nil {
		return err
	}
	l, err := listen(ctx, "demo", d.page, handler, s.log)
	if err != nil {
		return fmt.Errorf("%w (another address: --page 127.0.0.1:0)", err)
	}
	failed := make(chan error, 1)
	go l.serve(failed)
	go page.Watch(ctx)
	fmt.Fprintf(d.out, "\n  The demo stays up. Open\n\n      http://%s\n\n  and be the portal and the phone. Discovery, metrics:\n\n      %s/.well-known/openid-configuration\n      http://%s/metrics\n\n  Ctrl-C ends it.\n\n",
		l.address(), base, s.operations.address())
	select {
	case <-ctx.Done():
		return ignoreClosed(l.server.Close())
	case err := <-failed:
		return err
	}
}

// tell prints one step.
func (d *demoRun) tell(step demo.Step) {
	if d.asJSON {
		if err := json.NewEncoder(d.out).Encode(step); err != nil {
			return // nobody reads
		}
		return
	}
	mark := "✓"
	if !step.OK {
		mark = "✗"
	}
	codes := make([]string, len(step.Audit))
	for i, code := range step.Audit {
		codes[i] = string(code)
	}
	_, _ = fmt.Fprintf(d.out, "  %s %-11s %6.0f ms  %s\n", mark, step.Name, step.Millis, step.Says)
	_, _ = io.WriteString(d.out, "                           "+strings.Join(codes, "\n                           ")+"\n")
	if step.Error != "" {
		_, _ = io.WriteString(d.out, "                           "+step.Error+"\n")
	}
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(ctx context.Context) (string, error) {
	l, err := listen(ctx, "probe", "127.0.0.1:0", http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	return l.address(), l.socket.Close()
}
