package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

func (p *program) migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "migrate", Short: "Bring the schema of the SQL store up to date (up), back by one (down), or look (status)",
		Long: `migrate brings the schema to what this release needs. On SQLite serve does it by itself; on
PostgreSQL serve refuses to run on an older schema, unless store.migrate is always. A newer schema is
fine: releases N and N+1 run side by side.`,
		Example: `  tokenserver migrate status
  tokenserver migrate up
  tokenserver migrate down --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.withSQL(cmd.Context(), p.migrateUp) },
	}
	up := &cobra.Command{
		Use: "up", Short: "Bring the schema up to date", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.withSQL(cmd.Context(), p.migrateUp) },
	}
	status := &cobra.Command{
		Use: "status", Short: "Tell the version of the schema; fails when it is older than this release needs", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.withSQL(cmd.Context(), p.migrateStatus) },
	}
	var yes bool
	down := &cobra.Command{
		Use: "down", Short: "Take the schema back by one version: the data that it added is gone", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return &usageError{errors.New("migrate down removes tables with what is in them: say --yes")}
			}
			return p.withSQL(cmd.Context(), p.migrateDown)
		},
	}
	down.Flags().BoolVar(&yes, "yes", false, "really remove tables")
	c.AddCommand(up, down, status)
	return c
}

func (p *program) withSQL(ctx context.Context, f func(context.Context, *sqlstore.Store) error) error {
	s, err := p.openSQL(ctx, p.log())
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, s), s.Close())
}

func (p *program) migrateUp(ctx context.Context, s *sqlstore.Store) error {
	version, err := s.Migrate(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "The schema is at version %d.\n", version)
	return err
}

func (p *program) migrateDown(ctx context.Context, s *sqlstore.Store) error {
	version, err := s.MigrateDown(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "The schema is back at version %d.\n", version)
	return err
}

func (p *program) migrateStatus(ctx context.Context, s *sqlstore.Store) error {
	has, needs, err := s.CheckSchema(ctx)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	if _, printErr := fmt.Fprintf(p.out, "The schema is at version %d; this release needs %d.\n", has, needs); printErr != nil {
		return printErr
	}
	return err
}
