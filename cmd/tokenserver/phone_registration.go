package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

// installation describes the phone and its app, as commands print it.
type installation struct {
	State      string `json:"state"`
	BaseURL    string `json:"base_url"`
	App        string `json:"app"`
	Platform   string `json:"platform"`
	Version    string `json:"version"`
	APIVersion int    `json:"api_version"`
	ClientID   string `json:"client_id,omitempty"`
}

func described(state string, p *phone.Phone) installation {
	app := p.App()
	return installation{
		State: state, BaseURL: app.BaseURL, App: app.Identifier, Platform: app.Platform, Version: app.Version,
		APIVersion: app.APIVersion, ClientID: p.ClientID(),
	}
}

func (r *phoneRun) installCommand() *cobra.Command {
	var app phone.App
	var server string
	var force bool
	c := &cobra.Command{
		Use: "install", Short: "Put the app on a new phone; the server is not asked yet", Args: noArgs,
		Long: `install makes the state file: the phone, the build of the app, and a hardware secret. The server learns
of it with register. Identifier, platform, version, signature and redirect must be those of the application
in the settings of the server.`,
		Example: `  tokenserver phone install --server http://localhost:7878 --app harbour --app-version 4.2.0 \
    --signature 3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63 --redirect harbour://signed-in
  tokenserver phone install --state tablet.json --platform ios --os-version 19.1 --api-version 1 …`,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&server, "server", "", "address of the server, such as http://localhost:7878; /oauth is added")
	flags.StringVar(&app.Identifier, "app", "", "identifier of the application")
	flags.StringVar(&app.Platform, "platform", phone.Android, "android or ios")
	flags.StringVar(&app.Version, "app-version", "", "version of the build, compared byte for byte")
	flags.StringVar(&app.Signature, "signature", "", "signature of the running binary: one part of a configured application signature")
	flags.StringVar(&app.RedirectURL, "redirect", "", "redirect URL that leads back into the app")
	flags.StringVar(&app.OSVersion, "os-version", "", "version of the operating system; empty: not reported")
	flags.StringVar(&app.Model, "model", "Virtual phone", "model of the phone")
	flags.IntVar(&app.APIVersion, "api-version", phone.APIKey, "protocol: 1 a client secret, 2 a client key")
	flags.BoolVar(&app.TamperingProtection, "tampering-protection", false, "bind the client secret to the signature (--api-version 1)")
	flags.BoolVar(&force, "force", false, "replace the phone that is in the state file")
	c.RunE = func(*cobra.Command, []string) error {
		if err := installable(&app, server); err != nil {
			return &usageError{err}
		}
		return r.install(app, force)
	}
	return c
}

// installable checks the flags and puts the address of the server into the app. All problems are named at once.
func installable(app *phone.App, server string) error {
	var problems []error
	for _, f := range []struct{ name, value string }{
		{"--server", server},
		{"--app", app.Identifier},
		{"--app-version", app.Version},
		{"--redirect", app.RedirectURL},
	} {
		if f.value == "" {
			problems = append(problems, fmt.Errorf("%s is missing", f.name))
		}
	}
	if app.Platform != phone.Android && app.Platform != phone.IOS {
		problems = append(problems, fmt.Errorf("--platform %s: want android or ios", app.Platform))
	}
	if app.APIVersion != phone.APISecret && app.APIVersion != phone.APIKey {
		problems = append(problems, fmt.Errorf("--api-version %d: want 1 or 2", app.APIVersion))
	}
	if server != "" {
		base, err := baseURL(server)
		if err != nil {
			problems = append(problems, err)
		}
		app.BaseURL = base
	}
	return errors.Join(problems...)
}

// baseURL is the address under which the server has its endpoints.
func baseURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("--server %q is no address of a server: want http://host:port or https://host", server)
	}
	const root = "/oauth"
	base := strings.TrimRight(server, "/")
	if !strings.HasSuffix(base, root) {
		base += root
	}
	return base, nil
}

func (r *phoneRun) install(app phone.App, force bool) error {
	name := r.file()
	if _, err := os.Stat(name); err == nil && !force {
		return r.refused(&adviceError{
			word: "phone_exists", text: "there is a phone at " + name + " already",
			next: "--force replaces it (its keys are lost), --state FILE makes another one",
		}, "")
	}
	p, err := phone.New(app, phone.Options{Now: r.now})
	if err != nil {
		return r.refused(err, "")
	}
	const ownerOnly = 0o700
	if err := os.MkdirAll(filepath.Dir(name), ownerOnly); err != nil {
		return r.refused(err, "")
	}
	if err := p.Save(name); err != nil {
		return r.refused(err, "")
	}
	return r.tell(described(name, p), "%s %s for %s is installed on the phone in %s.\nNext: tokenserver phone register",
		app.Identifier, app.Version, app.Platform, name)
}

func (r *phoneRun) registerCommand() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "register", Short: "Become an OAuth client of the server: dynamic client registration", Args: noArgs,
		Long: `register makes this copy of the app a client of its own: with a key and a signed statement (API version 2),
or by challenge and response with a client secret (API version 1). A former registration is forgotten.`,
		Example: `  tokenserver phone register --name "Kim's phone"`,
	}
	c.Flags().StringVar(&name, "name", "", "name of the phone, for its user; empty: the server makes one up")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if err := c.Register(ctx, name); err != nil {
			return err
		}
		return c.tell(described(c.file(), c.Phone), "Registered. The client id, the device_id of portals, is\n  %s\nNext: tokenserver phone sign-in --username NAME", c.ClientID())
	})
	return c
}

func (r *phoneRun) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Ask whether the registration still holds, as apps do at each start", Args: noArgs,
		Long: `validate refreshes the configuration of the app and removes users whom the server no longer knows. When it
says that an upgrade is due, run upgrade.`,
		Example: "  tokenserver phone validate",
		RunE:    r.with(validated),
	}
}

func validated(ctx context.Context, c *phoneCall) error {
	v, err := c.Validate(ctx)
	if err != nil {
		return err
	}
	if v.Status != phone.Valid {
		return c.tell(v, "The server wants proof of this version first: %s.\nNext: tokenserver phone upgrade", v.Status)
	}
	policy := v.Configuration.PINPolicy
	tries := "any number of tries"
	if n := v.Configuration.MaxPINFailures; n > 0 {
		tries = fmt.Sprintf("%d tries", n)
	}
	if len(v.Removed) > 0 {
		tries += "\nRemoved, because the server no longer knows them: " + strings.Join(v.Removed, ", ")
	}
	return c.tell(v, "The registration holds.\nUsers: %s\nPIN: %d digits, runs of at most %d, sequences %s, %s",
		listed(v.Profiles), policy.Length, policy.MaxSimilarDigits, allowed(policy.SequencesAllowed), tries)
}

func listed(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func allowed(yes bool) string {
	if yes {
		return "allowed"
	}
	return "not allowed"
}

func (r *phoneRun) upgradeCommand() *cobra.Command {
	var release phone.Release
	c := &cobra.Command{
		Use: "upgrade", Short: "Install another build of the app and move the registration to it", Args: noArgs,
		Long: `upgrade does what the app store and then the SDK do: another build is installed, the server says whether it
wants proof, and the proof is sent. Client id, users and enrollments survive. When it is refused, the former
build is put back. Flags that are left out stay as they are.`,
		Example: `  tokenserver phone upgrade --app-version 4.3.0
  tokenserver phone upgrade --app-version 5.0.0 --api-version 2     # from a client secret to a client key`,
	}
	c.Flags().StringVar(&release.Version, "app-version", "", "version of the new build")
	c.Flags().StringVar(&release.Signature, "signature", "", "signature of the new build")
	c.Flags().IntVar(&release.APIVersion, "api-version", 0, "protocol of the new build: 1 or 2")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if release.APIVersion < 0 || release.APIVersion > phone.APIKey {
			return &usageError{fmt.Errorf("--api-version %d: want 1 or 2", release.APIVersion)}
		}
		if c.App().APIVersion == phone.APIKey && release.APIVersion == phone.APISecret {
			return &usageError{errors.New("--api-version 1: a client with a key cannot go back to a secret")}
		}
		if before := c.App(); release.APIVersion > before.APIVersion && (release.Version == "" || release.Version == before.Version) {
			return &usageError{errors.New("--api-version 2 comes with another build: give its --app-version, too")}
		}
		if err := c.Upgrade(ctx, release); err != nil {
			return err
		}
		return c.tell(described(c.file(), c.Phone), "The phone runs version %s now.", c.App().Version)
	})
	return c
}

func (r *phoneRun) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rename NAME", Short: "Give the phone another name", Args: oneArg,
		Long: "rename changes the name under which users and helpdesk see this installation; at most 100 characters.", Example: `  tokenserver phone rename "Kim's old phone"`,
		RunE: r.with(func(ctx context.Context, c *phoneCall) error {
			if err := c.RenameDevice(ctx, c.args[0]); err != nil {
				return err
			}
			return c.tell(map[string]string{"device_name": c.args[0]}, "The phone is called %s now.", c.args[0])
		}),
	}
}

func (r *phoneRun) forgetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "forget", Short: "Wipe registration and users on the phone, without telling the server", Args: noArgs,
		Long: `forget does what removing and installing the app again does: the server still knows the installation, the
phone does not. The app stays installed, so register makes a new client of it. To tell the server first,
use revoke.`,
		Example: "  tokenserver phone forget",
		RunE: r.with(func(_ context.Context, c *phoneCall) error {
			c.Forget()
			return c.tell(described(c.file(), c.Phone), "Forgotten: registration, users, keys and messages.\nNext: tokenserver phone register")
		}),
	}
}
