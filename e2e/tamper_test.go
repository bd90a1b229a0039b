package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// logTables are the tables of the audit log.
var logTables = []string{"audit_events", "audit_seals", "audit_sealer", "audit_gaps", "audit_checkpoints"}

// TestTampering changes the stored audit log with SQL, as somebody who owns the database could, and lets `audit verify` find it.
func TestTampering(t *testing.T) {
	t.Parallel()
	d := own(t, func(name string) (*deployment, error) { return startCluster(name, clusterOptions{}) })
	a := newActor(t, d)
	for range 8 {
		p, profile := a.signedIn(android(), "kim")
		a.quietly("refresh", func(ctx context.Context) error { _, err := p.Refresh(ctx, profile, pin); return err })
	}
	if err := d.log.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range d.servers { // the last thing that the sealer does is a checkpoint
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
	kept := filepath.Join(d.dir, "checkpoints.jsonl")
	printed, err := d.servers[0].command("audit", "checkpoints")
	if err != nil || printed.code != 0 || strings.Count(printed.stdout, "\n") == 0 {
		t.Fatalf("audit checkpoints: %d %s %v", printed.code, printed.stdout, err)
	}
	if err := save(kept, []byte(printed.stdout)); err != nil {
		t.Fatal(err)
	}
	for _, table := range logTables {
		d.sql(t, fmt.Sprintf("CREATE TABLE kept_%s AS TABLE %s", table, table))
	}

	const sealed = "(SELECT sequence FROM audit_seals WHERE position = %d)"
	seventh := fmt.Sprintf(sealed, 7)
	const cut = `UPDATE audit_sealer SET position = 20, hash = (SELECT hash FROM audit_seals WHERE position = 20),
		scanned = (SELECT sequence FROM audit_seals WHERE position = 20);
		DELETE FROM audit_events WHERE sequence > (SELECT sequence FROM audit_seals WHERE position = 20);
		DELETE FROM audit_seals WHERE position > 20; DELETE FROM audit_gaps; DELETE FROM audit_checkpoints WHERE position > 20`
	for _, tc := range []struct {
		name, statement string
		kept            bool   // verify with the checkpoints that were kept elsewhere
		says            string // empty: whole
	}{
		{"nothing", "SELECT 1", true, ""},
		{"edited code", "UPDATE audit_events SET code = 'DYNAMIC_REG_FAILED' WHERE sequence = " + seventh, false, "position 7 "},
		{"edited details", "UPDATE audit_events SET details = details || ' ' WHERE sequence = " + seventh, false, "position 7 "},
		{"edited user", "UPDATE audit_events SET user_id = user_id || 'x' WHERE sequence = " + seventh, false, "position 7 "},
		{"edited time", "UPDATE audit_events SET time = time + 1 WHERE sequence = " + seventh, false, "position 7 "},
		{"two edited", fmt.Sprintf("UPDATE audit_events SET time = time + 1 WHERE sequence IN (%s, "+sealed+")", seventh, 12), false, "position 7 "},
		{"deleted event", "DELETE FROM audit_events WHERE sequence = " + seventh, false, "position 7 "},
		{
			"deleted event and seal", "DELETE FROM audit_events WHERE sequence = " + seventh + "; DELETE FROM audit_seals WHERE position = 7",
			false, "position 7 ",
		},
		{
			"two exchanged", `UPDATE audit_seals SET sequence = -1 WHERE position = 7;
			UPDATE audit_seals SET sequence = sequence - 1 WHERE position = 8;
			UPDATE audit_seals SET sequence = (SELECT sequence + 1 FROM audit_seals WHERE position = 8) WHERE position = 7`, false, "position 7 ",
		},
		{"inserted", `UPDATE audit_seals SET position = -position WHERE position >= 7;
			INSERT INTO audit_events (time, code, client_id, user_id, profile_id, application, platform, version, client_ip, user_agent,
				transaction_id, agent, admin_user, instance, details)
				SELECT time, code, client_id, user_id, profile_id, application, platform, version, client_ip, user_agent, transaction_id,
				agent, admin_user, instance, details FROM audit_events WHERE sequence = ` + fmt.Sprintf(sealed, 6) + `;
			UPDATE audit_seals SET position = 1 - position WHERE position < 0;
			INSERT INTO audit_seals (position, sequence, hash) SELECT 7, max(sequence), '\x00' FROM audit_events`, false, "position 7 "},
		{"cut end", "DELETE FROM audit_seals WHERE position > 20", false, "position 21 "},
		{"cut end with everything of it", cut, false, ""}, // what lies after the last checkpoint kept elsewhere
		{"cut end with everything of it, checkpoints kept elsewhere", cut, true, "position 21 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.sql(t, tc.statement)
			defer d.restoreLog(t)
			args := []string{"audit", "verify"}
			if tc.kept {
				args = append(args, "--checkpoints", kept)
			}
			done, err := d.servers[0].command(args...)
			if err != nil {
				t.Fatal(err)
			}
			output := done.stdout + done.stderr
			if whole := tc.says == ""; whole != (done.code == 0) || !strings.Contains(output, tc.says) {
				t.Errorf("ended with %d: %s; want %q", done.code, output, tc.says)
			}
		})
	}
	for _, s := range d.servers {
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
	}
	a.step("the restored log goes on", "DYNAMIC_REG_SUCCESS", func(ctx context.Context) error { return a.phone(android()).Register(ctx, "") })
}

// sql runs statements on the database of the deployment, in one transaction.
func (d *deployment) sql(t *testing.T, statements string) {
	t.Helper()
	if _, err := psql(t.Context(), d.dsn, statements); err != nil {
		t.Fatal(err)
	}
}

// restoreLog brings the audit log back as it was kept.
func (d *deployment) restoreLog(t *testing.T) {
	t.Helper()
	statements := make([]string, 0, 2*len(logTables))
	for _, table := range logTables {
		statements = append(statements, "DELETE FROM "+table, fmt.Sprintf("INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM kept_%s", table, table))
	}
	d.sql(t, strings.Join(statements, "; "))
}
