package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"tokenserver/internal/settings"
	"tokenserver/store/redisstore"
)

func (p *program) checkCommand() *cobra.Command {
	var offline bool
	c := &cobra.Command{
		Use: "check", Short: "Find every problem that would keep the server from starting", Args: noArgs,
		Long: `check validates the configuration, the settings file and the template sets, and looks whether SQL and Redis answer, whether
the schema is recent enough, whether Redis keeps what it is given, and whether the keys open what is
stored. It changes nothing and names all problems at once.`,
		Example: `  tokenserver check --config /etc/tokenserver/config.yaml
  tokenserver check --offline                # in a build pipeline`,
	}
	c.Flags().BoolVar(&offline, "offline", false, "do not look at SQL and Redis")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var problems []error
		if _, err := p.config.openPages(); err != nil {
			problems = append(problems, err)
		}
		if name := p.config.SettingsFile; name != "" {
			d, err := p.readSettings(name)
			if err == nil {
				err = p.config.settingsRules().Validate(d)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("settings_file: %w", err))
			}
		}
		if !offline {
			problems = append(problems, p.checkSQL(cmd.Context()), p.checkRedis(cmd.Context()))
		}
		if err := errors.Join(problems...); err != nil {
			return fmt.Errorf("check found problems:\n%w", err)
		}
		_, err := fmt.Fprintln(p.out, "Everything is in order.")
		return err
	}
	return c
}

func (p *program) checkSQL(ctx context.Context) error {
	if path := p.config.Store.DSN.Path(); path != "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil // the first start makes it
		}
	}
	s, err := p.openSQL(ctx, p.log())
	if err != nil {
		return err
	}
	defer s.Close()
	has, needs, err := s.CheckSchema(ctx)
	if has < needs && (p.config.Store.Migrate == MigrateAlways || (p.config.Store.Migrate == MigrateAuto && p.config.Store.DSN.SQLite())) {
		return nil // the start migrates; what an older schema holds cannot be looked at before
	}
	if err != nil {
		return err
	}
	keys, _, err := p.config.OpenKeys()
	if err != nil {
		return err
	}
	service := p.settingsService(s, nil, p.revocations(s, nil), keys, p.log())
	if err := service.Load(ctx); err != nil {
		return err
	}
	return fits(service)
}

// fits tells whether the stored settings are allowed under the configuration.
func fits(service *settings.Service) error {
	if err := service.Rules.Validate(service.Current().Document); err != nil {
		return fmt.Errorf("the stored settings do not fit the configuration:\n%w", err)
	}
	return nil
}

func (p *program) checkRedis(ctx context.Context) error {
	if len(p.config.Redis.Addrs) == 0 {
		return nil
	}
	s, err := redisstore.Open(ctx, p.config.redisConfig(), p.now)
	if err != nil {
		return err
	}
	defer s.Close()
	return p.config.checkEviction(s.EvictionPolicy(ctx))
}
