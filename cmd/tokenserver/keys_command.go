package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"tokenserver/audit"
	"tokenserver/internal/keys"
	"tokenserver/store/sqlstore"
)

func (p *program) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "keys", Short: "List and rotate signing keys; make an encryption key", Args: noArgs,
		Long: `Signing keys sign ID tokens and JWT access tokens. There are three: the current one signs, the next one
is published already, so that nobody meets an unknown key after a rotation, and the previous one
stays published while its tokens live.

The encryption key is the one under which the server keeps everything secret, signing keys too.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "new", Short: "Print a new encryption key for keys.encryption_key", Args: noArgs,
			Annotations: map[string]string{needsNoConfig: "yes"},
			Example:     "  tokenserver keys new > /run/secrets/tokenserver-key\n  TOKENSERVER_KEYS_ENCRYPTION_KEY_FILE=/run/secrets/tokenserver-key tokenserver serve",
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintln(p.out, newEncryptionKey())
				return err
			},
		},
		&cobra.Command{
			Use: "list", Short: "List the signing keys", Args: noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return p.withSQL(cmd.Context(), p.listKeys) },
		},
		&cobra.Command{
			Use: "rotate", Short: "Let the next signing key sign, and make another next one", Args: noArgs,
			Long: `rotate moves the current signing key to previous and the next one to current, and makes a new next
one. Running servers sign with the new key within a minute. Rotate again only after the longest life of
a token has passed: the previous key is dropped then.`,
			RunE: func(cmd *cobra.Command, _ []string) error { return p.withSQL(cmd.Context(), p.rotateKeys) },
		},
	)
	return c
}

func (p *program) listKeys(ctx context.Context, s *sqlstore.Store) error {
	if err := p.config.ensureSchema(ctx, s); err != nil {
		return err
	}
	list, err := s.SigningKeys(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SLOT\tALGORITHM\tMADE\tID")
	for _, k := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.Slot, k.Algorithm, k.CreatedAt.Format(time.RFC3339), k.ID)
	}
	return w.Flush()
}

func (p *program) rotateKeys(ctx context.Context, s *sqlstore.Store) error {
	if err := p.config.ensureSchema(ctx, s); err != nil {
		return err
	}
	opened, _, err := p.config.OpenKeys()
	if err != nil {
		return err
	}
	ring := &keys.Ring{Store: s, Keys: opened, Algorithm: string(p.config.Keys.SigningAlgorithm), Now: p.now, NewID: uuid.NewString}
	if err := ring.Load(ctx); err != nil {
		return err
	}
	recorder := &audit.Recorder{Now: p.now}
	ctx = audit.WithTrail(ctx, audit.NewTrail(audit.Origin{}))
	err = s.InTx(ctx, func(ctx context.Context) error {
		recorder.Record(ctx, audit.JWTKeysRotated, audit.Admin(operator("")))
		return ring.Rotate(ctx)
	})
	if err != nil {
		return err
	}
	return p.listKeys(ctx, s)
}
