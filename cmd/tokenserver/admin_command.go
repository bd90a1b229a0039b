package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tokenserver/internal/settings"
)

const maxSettingsFile = 16 << 20

func (p *program) adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "admin", Short: "Apply and export settings: applications, clients, policies, users", Args: noArgs,
		Long: `Everything that an administrator edits is one document: applications and their versions, scopes,
clients, PIN policies, authentication types, push configurations, callbacks, users. The commands
speak to the SQL store; running servers work with a change within two seconds.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(p.applyCommand(), p.exportCommand())
	return c
}

func (p *program) applyCommand() *cobra.Command {
	var dry, asJSON bool
	var by string
	c := &cobra.Command{
		Use: "apply FILE", Short: "Make a document the whole of the settings", Args: oneArg,
		Long: `apply validates a document as a whole, names all problems at once, and makes it the settings. What
the document does not hold any more is removed, except users, and except applications and versions
that have registered installations: removing these is refused. Applying the same document again
changes nothing.

Secrets are the text itself, {file: PATH} (relative to the document), {env: NAME}, or
{redacted: true} to keep what is stored. Secrets of callbacks and clients that the document leaves
out are made and printed once.`,
		Example: `  tokenserver admin apply --dry-run settings.yaml
  tokenserver admin apply settings.yaml
  tokenserver admin export | sed s/LOGIN_REGISTRATION/LOGIN_ONLY/ | tokenserver admin apply -`,
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "print what would change, and change nothing")
	c.Flags().BoolVar(&asJSON, "json", false, "print the changes as JSON")
	c.Flags().StringVar(&by, "by", "", "administrator named in the audit log (default: the user of the operating system)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := p.readSettings(args[0])
		if err != nil {
			return err
		}
		service, end, err := p.openSettings(cmd.Context())
		if err != nil {
			return err
		}
		defer end()
		var changes settings.Changes
		if dry {
			changes, err = service.Plan(cmd.Context(), d)
		} else {
			changes, err = service.Apply(cmd.Context(), d, operator(by))
		}
		if err != nil {
			return fmt.Errorf("%s cannot be applied:\n%w", args[0], err)
		}
		if asJSON {
			encoder := json.NewEncoder(p.out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(changes)
		}
		return printChanges(p.out, changes, dry)
	}
	return c
}

// readSettings parses the document in a file, or from standard input when its name is -.
func (p *program) readSettings(name string) (settings.Document, error) {
	source, dir := p.in, "."
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return settings.Document{}, err
		}
		defer f.Close()
		source, dir = f, filepath.Dir(name)
	}
	text, err := io.ReadAll(io.LimitReader(source, maxSettingsFile))
	if err != nil {
		return settings.Document{}, fmt.Errorf("read settings: %w", err)
	}
	return settings.Parse(text, dir)
}

// applySettingsFile applies the document that the configuration names, if it names one.
func (p *program) applySettingsFile(ctx context.Context, service *settings.Service) error {
	if p.config.SettingsFile == "" {
		return nil
	}
	d, err := p.readSettings(p.config.SettingsFile)
	if err != nil {
		return fmt.Errorf("settings_file: %w", err)
	}
	changes, err := service.Apply(ctx, d, "settings_file")
	if err != nil {
		return fmt.Errorf("%s cannot be applied:\n%w", p.config.SettingsFile, err)
	}
	if len(changes.Generated) == 0 {
		return nil
	}
	return printChanges(p.err, changes, false) // the only time that the new secrets are seen
}

// operator names who is at the keyboard.
func operator(by string) string {
	if by != "" {
		return by
	}
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

func printChanges(w io.Writer, changes settings.Changes, dry bool) error {
	var b strings.Builder
	sign := map[settings.Action]string{settings.Created: "+", settings.Updated: "~", settings.Removed: "-"}
	for _, c := range changes.List {
		fmt.Fprintf(&b, "%s %s", sign[c.Action], c.Kind)
		if c.Name != "" {
			fmt.Fprintf(&b, " %s", c.Name)
		}
		if len(c.Members) > 0 {
			fmt.Fprintf(&b, ": %s", strings.Join(c.Members, ", "))
		}
		b.WriteByte('\n')
	}
	switch {
	case changes.Empty():
		fmt.Fprintf(&b, "Nothing to change: the settings are at version %d.\n", changes.Version)
	case dry:
		fmt.Fprintf(&b, "Dry run: %d to create, %d to update, %d to remove.\n", changes.Count(settings.Created), changes.Count(settings.Updated), changes.Count(settings.Removed))
	default:
		fmt.Fprintf(&b, "The settings are at version %d now; running servers follow within two seconds.\n", changes.Version)
	}
	for _, g := range changes.Generated {
		fmt.Fprintf(&b, "\nMade for %s %s, and shown only now:\n  %s: %s\n", g.Kind, g.Name, g.Member, g.Value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *program) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Print the settings as a document", Args: noArgs,
		Long: `export prints the settings as a document that apply reads. Secrets are {redacted: true}: applied to
the same server they keep what is stored; for another server, write them out.`,
		Example: `  tokenserver admin export > settings.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, end, err := p.openSettings(cmd.Context())
			if err != nil {
				return err
			}
			defer end()
			d, err := service.Export(cmd.Context())
			if err != nil {
				return err
			}
			return d.WriteYAML(p.out)
		},
	}
}
