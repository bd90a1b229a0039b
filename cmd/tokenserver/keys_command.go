package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"tokenserver/audit"
	"tokenserver/internal/keys"
	"tokenserver/internal/secret"
	"tokenserver/store/sqlstore"
)

func (p *program) keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "keys", Short: "List and rotate signing keys; make encryption and SAML keys", Args: noArgs,
		Long: `Signing keys sign ID tokens, JWT access tokens and logout tokens. There are three: the current one
signs, the next one is published already, so that nobody meets an unknown key after a rotation, and the
previous one stays published while its tokens live. Servers rotate them by themselves each
oauth.key_rotation_days of the settings.

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
		p.keysRotateCommand(),
		p.keysAlgorithmCommand(),
		p.keysSAMLCommand(),
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

func (p *program) keysRotateCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "rotate", Short: "Let the next signing key sign, and make another next one", Args: noArgs,
		Long: `rotate moves the current signing key to previous and the next one to current, and makes a new next
one. Running servers sign with the new key within a minute. The former previous key is dropped, so rotate refuses while
its tokens may still live: until the current key has signed for 25 hours.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.changeKeys(cmd.Context(), audit.JWTKeysRotated, force, func(ctx context.Context, ring *keys.Ring, least time.Duration) error {
				return ring.Rotate(ctx, least)
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "rotate at once: a key is compromised; tokens of the previous key are refused from now on")
	return c
}

func (p *program) keysAlgorithmCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "algorithm ALGORITHM", Short: "Sign with another algorithm from now on", Args: oneArg, ValidArgs: keys.Algorithms(),
		Long: `algorithm makes a current and a next signing key of another algorithm: ES256, ES384, ES512, RS256, RS384,
RS512, PS256, PS384 or PS512. The key that signed so far becomes the previous one. Nobody can know the new current key
beforehand: relying parties read the key set again when they meet it, servers do so within a second.`,
		Example: "  tokenserver keys algorithm PS256",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.changeKeys(cmd.Context(), audit.JWTKeysAlgorithmUpdated, force, func(ctx context.Context, ring *keys.Ring, least time.Duration) error {
				return ring.ChangeAlgorithm(ctx, args[0], least)
			}, audit.Detail("algorithm", args[0]))
		},
	}
	c.Flags().BoolVar(&force, "force", false, "change at once, although tokens of the previous key may still live")
	return c
}

// changeKeys changes the signing keys in one transaction with the event, and lists what there is then.
func (p *program) changeKeys(
	ctx context.Context, code audit.Code, force bool, change func(context.Context, *keys.Ring, time.Duration) error, details ...audit.Attr,
) error {
	least := keys.Settled
	if force {
		least = 0
	}
	return p.withSQL(ctx, func(ctx context.Context, s *sqlstore.Store) error {
		if err := p.config.ensureSchema(ctx, s); err != nil {
			return err
		}
		opened, _, err := p.config.OpenKeys()
		if err != nil {
			return err
		}
		ring := p.ring(s, opened)
		if err := ring.Load(ctx); err != nil {
			return err
		}
		recorder := &audit.Recorder{Now: p.now}
		trailed := audit.WithTrail(ctx, audit.NewTrail(audit.Origin{}))
		err = s.InTx(trailed, func(ctx context.Context) error {
			recorder.Record(ctx, code, append(details, audit.Admin(operator("")))...)
			return change(ctx, ring, least)
		})
		switch {
		case errors.Is(err, keys.ErrUnchanged):
			fmt.Fprintln(p.err, "nothing to change:", err)
		case errors.Is(err, keys.ErrTooSoon):
			return fmt.Errorf("%w: it signs since %s and must for %s, so that tokens of the previous key have ended; --force overrules",
				err, ring.Since().Format(time.RFC3339), keys.Settled)
		case errors.Is(err, keys.ErrAlgorithm):
			return &usageError{fmt.Errorf("%w: want one of %s", err, strings.Join(keys.Algorithms(), ", "))}
		case err != nil:
			return err
		}
		return p.listKeys(ctx, s)
	})
}

// ring is the signing keys as every command opens them.
func (p *program) ring(s *sqlstore.Store, opened *secret.Keys) *keys.Ring {
	return &keys.Ring{
		Store: s, Keys: opened, Algorithm: string(p.config.Keys.SigningAlgorithm), RSABits: p.config.Keys.RSABits,
		Now: p.now, NewID: uuid.NewString,
	}
}
