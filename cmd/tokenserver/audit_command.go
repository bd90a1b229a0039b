package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"tokenserver/audit"
	"tokenserver/store/sqlstore"
)

func (p *program) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "audit", Short: "Verify, follow and export the audit log", Args: noArgs,
		Long: `The audit log is sealed: every event has a dense position and a hash over itself and its predecessor.
Signed checkpoints of the chain are kept in the database; ship them away, because what lies after the
last checkpoint that is kept elsewhere can be cut off unnoticed.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(p.auditVerifyCommand(), p.auditTailCommand(), p.auditExportCommand(), p.auditCheckpointsCommand())
	return c
}

func (p *program) auditVerifyCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "verify", Short: "Walk the hash chain and name the first broken event", Args: noArgs,
		Long: `verify reads the whole log. It exits with 0 when every event is what was sealed, and with 1 when one
has been edited, deleted, inserted or moved, or when the log ends before a checkpoint.`,
		Example: "  tokenserver audit verify\n  tokenserver audit verify --checkpoints kept-elsewhere.jsonl",
	}
	c.Flags().StringVar(&file, "checkpoints", "", "file of checkpoints that were kept elsewhere, as audit checkpoints printed them")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withSQL(cmd.Context(), func(ctx context.Context, s *sqlstore.Store) error { return p.verify(ctx, s, file) })
	}
	return c
}

func (p *program) verify(ctx context.Context, s *sqlstore.Store, file string) error {
	checkpoints, err := s.Checkpoints(ctx)
	if err != nil {
		return err
	}
	if checkpoints, err = p.signed(ctx, s, checkpoints); err != nil {
		return err
	}
	if file != "" {
		kept, err := readCheckpoints(file)
		if err != nil {
			return err
		}
		if kept, err = p.signed(ctx, s, kept); err != nil {
			return err
		}
		checkpoints = append(checkpoints, kept...)
	}
	verified, err := s.Verify(ctx, checkpoints, func(position int64) {
		fmt.Fprintf(p.err, "\r%d events …", position)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "the audit log is whole: %d events, %d checkpoints, %d events wait for the sealer; last hash %s\n",
		verified.Position, len(checkpoints), verified.Unsealed, hex.EncodeToString(verified.Hash))
	return err
}

// checkpointLine is one checkpoint as audit checkpoints prints it.
type checkpointLine struct {
	Position int64     `json:"position"`
	Hash     string    `json:"hash"`
	Time     time.Time `json:"time"`
	JWS      string    `json:"jws"`
}

// checkpointClaims is what a checkpoint's signature covers.
type checkpointClaims struct {
	jwt.RegisteredClaims
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// signed checks the signatures of checkpoints whose key the server still has, and that they say what the rows say.
// A key that has been rotated out can no longer vouch; the hash still counts.
func (p *program) signed(ctx context.Context, s *sqlstore.Store, checkpoints []audit.Checkpoint) ([]audit.Checkpoint, error) {
	opened, _, err := p.config.OpenKeys()
	if err != nil {
		return nil, err
	}
	ring := p.ring(s, opened)
	if err := ring.Load(ctx); err != nil {
		return nil, err
	}
	for _, c := range checkpoints {
		var claims checkpointClaims
		err := ring.Verify(ctx, "audit-checkpoint+jwt", c.JWS, &claims)
		switch {
		case errors.Is(err, jwt.ErrTokenUnverifiable):
			fmt.Fprintf(p.err, "the checkpoint at position %d was signed with a key that is gone: its signature says nothing any more\n", c.Position)
		case err != nil:
			return nil, fmt.Errorf("the checkpoint at position %d has a bad signature: %w", c.Position, err)
		case claims.Position != c.Position || claims.Hash != hex.EncodeToString(c.Hash):
			return nil, fmt.Errorf("the checkpoint at position %d is not what was signed", c.Position)
		}
	}
	return checkpoints, nil
}

func readCheckpoints(file string) ([]audit.Checkpoint, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var checkpoints []audit.Checkpoint
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line checkpointLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		hash, err := hex.DecodeString(line.Hash)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		checkpoints = append(checkpoints, audit.Checkpoint{Position: line.Position, Hash: hash, Time: line.Time, JWS: line.JWS})
	}
	return checkpoints, lines.Err()
}

func (p *program) auditCheckpointsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "checkpoints", Short: "Print the signed checkpoints, one JSON object each line", Args: noArgs,
		Example: "  tokenserver audit checkpoints | ssh safe-host 'cat >> tokenserver-checkpoints.jsonl'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withSQL(cmd.Context(), func(ctx context.Context, s *sqlstore.Store) error {
				checkpoints, err := s.Checkpoints(ctx)
				if err != nil {
					return err
				}
				out := json.NewEncoder(p.out)
				for _, c := range checkpoints {
					if err := out.Encode(checkpointLine{c.Position, hex.EncodeToString(c.Hash), c.Time, c.JWS}); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (p *program) auditTailCommand() *cobra.Command {
	var format string
	var last int64
	c := &cobra.Command{
		Use: "tail", Short: "Print the latest events, and each new one as it is sealed", Args: noArgs,
		Example: "  tokenserver audit tail\n  tokenserver audit tail --format cef --last 0 | nc siem 514",
	}
	c.Flags().StringVar(&format, "format", audit.JSONLines, "jsonl, cef or syslog (RFC 5424)")
	c.Flags().Int64Var(&last, "last", 10, "how many events to print first")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withSQL(cmd.Context(), func(ctx context.Context, s *sqlstore.Store) error {
			position, _, err := s.SealedUpTo(ctx)
			if err != nil {
				return err
			}
			after := max(0, position-last)
			for {
				after, err = p.print(ctx, s, format, after)
				switch {
				case ctx.Err() != nil: // told to stop, maybe in the middle of a read
					return nil //nolint:nilerr // stopped, not broken
				case err != nil:
					return err
				}
				select {
				case <-time.After(sealEvery):
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	return c
}

func (p *program) auditExportCommand() *cobra.Command {
	var format string
	var after int64
	c := &cobra.Command{
		Use: "export", Short: "Print the sealed log from the beginning, or from a position", Args: noArgs,
		Example: "  tokenserver audit export > audit.jsonl\n  tokenserver audit export --after 120000 --format syslog",
	}
	c.Flags().StringVar(&format, "format", audit.JSONLines, "jsonl, cef or syslog (RFC 5424)")
	c.Flags().Int64Var(&after, "after", 0, "print only events behind this position")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withSQL(cmd.Context(), func(ctx context.Context, s *sqlstore.Store) error {
			_, err := p.print(ctx, s, format, after)
			return err
		})
	}
	return c
}

// print writes every event behind a position and returns the last one's.
func (p *program) print(ctx context.Context, s *sqlstore.Store, format string, after int64) (int64, error) {
	const page = 1000
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	formatter := audit.Formatter{Format: format, Host: host, Product: version}
	out := bufio.NewWriter(p.out)
	for {
		events, err := s.EventsAfter(ctx, after, page)
		if err != nil {
			return after, err
		}
		for i := range events {
			line, err := formatter.Line(&events[i])
			if err != nil {
				return after, &usageError{err}
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return after, err
			}
			after = events[i].Position
		}
		if len(events) < page {
			return after, out.Flush()
		}
	}
}
