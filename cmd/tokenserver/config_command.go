package main

import (
	"github.com/spf13/cobra"
)

func (p *program) configCommand() *cobra.Command {
	var docs bool
	c := &cobra.Command{
		Use: "config", Short: "Print the configuration in force, secrets redacted", Args: noArgs,
		Long: `config prints the configuration in force as a configuration file would say it: defaults, file,
environment and flags over each other. Secrets are redacted.

With --docs it prints the page that documents every setting.`,
		Example: `  tokenserver config --config /etc/tokenserver/config.yaml
  tokenserver config > config.yaml           # a file to start from
  tokenserver config --docs > docs/configuration.md`,
	}
	c.Flags().BoolVar(&docs, "docs", false, "print the documentation of every setting, in Markdown")
	c.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if docs {
			return nil
		}
		return p.prepare(cmd, args)
	}
	c.RunE = func(*cobra.Command, []string) error {
		if docs {
			return printDocs(p.out)
		}
		return printConfig(p.out, &p.config)
	}
	return c
}
