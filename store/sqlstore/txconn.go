package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"tokenserver/store"
)

// transaction is what InTx puts into a context: the statements of one transaction go through it.
type transaction interface {
	conn
	exec(ctx context.Context, query string, args ...any) (int64, error)
	row(ctx context.Context, query string, args []any, into ...any) error
	// execLast runs a statement whose result nobody waits for, at the latest when the transaction commits.
	execLast(ctx context.Context, query string, args ...any) error
	ending
}

// ending is how InTx ends a transaction.
type ending interface {
	commit(ctx context.Context) error
	rollback(ctx context.Context)
}

// transactionOf returns the transaction of ctx, nil when there is none.
func transactionOf(ctx context.Context) transaction {
	tx, _ := ctx.Value(txKey{}).(transaction)
	return tx
}

// begin starts a transaction. On PostgreSQL it takes a connection and no more.
func (s *Store) begin(ctx context.Context) (transaction, error) {
	if s.engine == sqlite {
		tx, err := s.db.BeginTx(ctx, nil)
		return &localTx{tx}, err
	}
	c, err := s.db.Conn(ctx)
	return &remoteTx{Conn: c}, err
}

// localTx is a transaction on SQLite, where a statement costs no round trip.
type localTx struct{ *sql.Tx }

func (t *localTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return execOn(ctx, t, query, args)
}

func (t *localTx) row(ctx context.Context, query string, args []any, into ...any) error {
	return t.QueryRowContext(ctx, query, args...).Scan(into...)
}

func (t *localTx) execLast(ctx context.Context, query string, args ...any) error {
	_, err := t.ExecContext(ctx, query, args...)
	return err
}

func (t *localTx) commit(context.Context) error { return t.Commit() }

func (t *localTx) rollback(context.Context) { _ = t.Rollback() } // the error at hand says more

func execOn(ctx context.Context, c conn, query string, args []any) (int64, error) {
	result, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// remoteTx is a transaction on PostgreSQL. A round trip costs more than most statements, on both sides: BEGIN travels
// with the first statement, and COMMIT with those that nobody waits for.
type remoteTx struct {
	*sql.Conn
	begun bool
	last  pgx.Batch
}

// ExecContext, and the methods below it, are for callers that need what database/sql returns.
func (t *remoteTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := t.ensureBegun(ctx); err != nil {
		return nil, err
	}
	return t.Conn.ExecContext(ctx, query, args...)
}

func (t *remoteTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := t.ensureBegun(ctx); err != nil {
		return nil, err
	}
	return t.Conn.PrepareContext(ctx, query)
}

func (t *remoteTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.ensureBegun(ctx); err != nil {
		return nil, err
	}
	return t.Conn.QueryContext(ctx, query, args...)
}

func (t *remoteTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if err := t.ensureBegun(ctx); err != nil {
		_ = t.Close() // nothing may run outside the transaction: the row tells that the connection is closed
	}
	return t.Conn.QueryRowContext(ctx, query, args...)
}

func (t *remoteTx) ensureBegun(ctx context.Context) error {
	if t.begun {
		return nil
	}
	if _, err := t.Conn.ExecContext(ctx, "BEGIN"); err != nil {
		return notBegun(err)
	}
	t.begun = true
	return nil
}

// notBegun marks every error of BEGIN: whatever it is, nothing has happened.
func notBegun(err error) error { return fmt.Errorf("begin: %w: %w", store.ErrUnavailable, err) }

func (t *remoteTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if t.begun {
		return execOn(ctx, t.Conn, query, args)
	}
	var tag pgconn.CommandTag
	err := t.beginWith(ctx, query, args, func(results pgx.BatchResults) (err error) {
		tag, err = results.Exec()
		return err
	})
	return tag.RowsAffected(), err
}

func (t *remoteTx) row(ctx context.Context, query string, args []any, into ...any) error {
	if t.begun {
		return t.Conn.QueryRowContext(ctx, query, args...).Scan(into...)
	}
	return t.beginWith(ctx, query, args, func(results pgx.BatchResults) error { return results.QueryRow().Scan(into...) })
}

// beginWith sends BEGIN and the first statement, and reads what came of that.
func (t *remoteTx) beginWith(ctx context.Context, query string, args []any, read func(pgx.BatchResults) error) error {
	return t.driver(func(c *pgx.Conn) error {
		var first pgx.Batch
		first.Queue("BEGIN")
		first.Queue(query, args...)
		results := c.SendBatch(ctx, &first)
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // it says the same
			return notBegun(err)
		}
		t.begun = true
		err := read(results)
		if closed := results.Close(); err == nil {
			err = closed
		}
		return err
	})
}

// driver lends the connection beneath database/sql. The error of f comes back as it is.
func (t *remoteTx) driver(f func(*pgx.Conn) error) error {
	var failed error
	err := t.Raw(func(c any) error {
		failed = f(c.(*stdlib.Conn).Conn()) // Open chose this driver
		return nil                          // an error here would be about the connection
	})
	return errors.Join(err, failed)
}

func (t *remoteTx) execLast(_ context.Context, query string, args ...any) error {
	t.last.Queue(query, args...)
	return nil
}

// commit sends what is left to do and COMMIT. When one of the statements fails, PostgreSQL skips what follows it.
func (t *remoteTx) commit(ctx context.Context) error {
	if !t.begun && t.last.Len() == 0 {
		return t.Close() // nothing was done
	}
	err := t.driver(func(c *pgx.Conn) error {
		var batch pgx.Batch
		if !t.begun {
			batch.Queue("BEGIN")
		}
		batch.QueuedQueries = append(batch.QueuedQueries, t.last.QueuedQueries...)
		batch.Queue("COMMIT")
		t.begun = true
		results := c.SendBatch(ctx, &batch)
		var tag pgconn.CommandTag
		for range batch.Len() {
			var err error
			if tag, err = results.Exec(); err != nil {
				_ = results.Close() // it says the same
				return err
			}
		}
		if err := results.Close(); err != nil {
			return err
		}
		if tag.String() == "ROLLBACK" { // a statement had failed, and its error was not returned
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.Close()
}

// rollback gives the connection back. One that cannot roll back is not used again: the driver looks at its state.
func (t *remoteTx) rollback(ctx context.Context) {
	if t.begun {
		_, _ = t.Conn.ExecContext(ctx, "ROLLBACK") // the error at hand says more
	}
	_ = t.Close()
}
