package main

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
)

const rootHelp = `tokenserver turns every installed copy of a mobile app into an OAuth client of its own,
lets users sign in once and from then on with a PIN, and lets any portal ask by push
"is it really you?".

Without any configuration it starts on this machine: SQLite in ./data, a Redis inside
the process, generated keys. The same binary runs as a cluster on PostgreSQL and Redis.`

const rootExamples = `  # start with the defaults, and look at it
  tokenserver
  curl http://localhost:7878/oauth/.well-known/openid-configuration

  # configure: a file, variables over it, flags over both
  tokenserver serve --config /etc/tokenserver/config.yaml
  TOKENSERVER_REDIS_ADDRS=redis-1:6379 tokenserver serve
  tokenserver serve --listen-public :8080 --log-level debug

  # describe applications, clients and policies in one document
  tokenserver admin apply --dry-run settings.yaml
  tokenserver admin apply settings.yaml`

// needsNoConfig marks commands that run whatever the configuration says.
const needsNoConfig = "needs-no-config"

// commands lists what the program can do.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.serveCommand(), p.demoCommand(), p.phoneCommand(), p.checkCommand(), p.configCommand(), p.migrateCommand(), p.adminCommand(), p.keysCommand(),
		p.auditCommand(), p.versionCommand(),
	}
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use: "tokenserver", Short: "OAuth server for mobile apps, with authentication by push",
		Long: rootHelp, Example: rootExamples,
		Args: noArgs, SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true,
		PersistentPreRunE: p.prepare,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.String("config", "", "configuration file (TOKENSERVER_CONFIG)")
	defaults := Defaults()
	for _, o := range options(&defaults) {
		name := o.flag()
		if name == "" {
			continue
		}
		flags.String(name, o.show(), o.doc)
		if _, is := o.value.Interface().(bool); is {
			flags.Lookup(name).NoOptDefVal = "true"
		}
		// Every option has a flag, but the help of each command shows only those that people type.
		flags.Lookup(name).Hidden = !slices.Contains([]string{"data-dir", "listen-public", "log-level"}, name)
	}
	for _, c := range p.commands() {
		root.AddCommand(c)
		if c.Name() == "serve" {
			root.RunE = c.RunE // what tokenserver does when it is told nothing
		}
	}
	return root
}

// prepare loads the configuration before a command runs.
func (p *program) prepare(cmd *cobra.Command, _ []string) error {
	if cmd.Annotations[needsNoConfig] != "" {
		return nil
	}
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return &usageError{err}
	}
	p.config, err = loadConfig(file, p.environ, cmd.Flags())
	if err != nil {
		return fmt.Errorf("the configuration has problems:\n%w", err)
	}
	return nil
}

// log returns the logger of the process: JSON lines on standard error.
func (p *program) log() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(p.config.Log.Level)); err != nil {
		level = slog.LevelInfo // cannot happen: Validate has seen it
	}
	return slog.New(slog.NewJSONHandler(p.err, &slog.HandlerOptions{Level: level}))
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		Annotations: map[string]string{needsNoConfig: "yes"},
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "tokenserver %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// noArgs and oneArg are cobra's checks as usage errors.
func noArgs(cmd *cobra.Command, args []string) error { return asUsage(cobra.NoArgs(cmd, args)) }

func oneArg(cmd *cobra.Command, args []string) error { return asUsage(cobra.ExactArgs(1)(cmd, args)) }

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}
