package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"tokenserver/audit"
	"tokenserver/store"
)

// tries is how often a transaction that lost against another one is run.
const tries = 5

type txKey struct{}

// InTx runs f in one transaction, together with the audit events that the request's trail holds at its end. Calls of
// this store inside f with f's context join the transaction; so does a nested InTx.
//
// When f returns nil, or an error marked with store.Keep, the transaction commits and InTx returns that (unmarked)
// error; any other error rolls back, and the events recorded inside f are forgotten. f may run several times when
// another transaction was in the way. Errors: store.ErrUnavailable when it cannot commit: nothing happened.
func (s *Store) InTx(ctx context.Context, f func(context.Context) error) error {
	if _, nested := ctx.Value(txKey{}).(*sql.Tx); nested {
		return f(ctx)
	}
	for try := 1; ; try++ {
		err := s.tryTx(ctx, f)
		if err != nil && try < tries && lost(err) {
			continue
		}
		return err
	}
}

func (s *Store) tryTx(ctx context.Context, f func(context.Context) error) error {
	if s.engine == sqlite {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	// The caller hanging up must not undo a decision half-way.
	ctx = context.WithoutCancel(ctx)
	trail := audit.TrailOf(ctx)
	mark := 0
	if trail != nil {
		mark = trail.Mark()
	}
	unit := &store.Unit{}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w: %w", store.ErrUnavailable, err)
	}
	undo := func(err error) error {
		_ = tx.Rollback() // the error at hand says more
		if trail != nil {
			trail.Cut(mark)
		}
		return err
	}
	inside := store.WithUnit(context.WithValue(ctx, txKey{}, tx), unit)
	defer func() {
		if r := recover(); r != nil {
			_ = undo(nil)
			panic(r)
		}
	}()
	ending, keep := store.Kept(f(inside))
	if ending != nil && !keep {
		return undo(s.classify(ending))
	}
	committed := 0
	if trail != nil {
		events := trail.Pending()
		committed = len(events)
		if err := s.insertEvents(inside, events); err != nil {
			return undo(fmt.Errorf("write audit events: %w: %w", store.ErrUnavailable, err))
		}
	}
	if err := tx.Commit(); err != nil {
		return undo(fmt.Errorf("commit: %w: %w", store.ErrUnavailable, err))
	}
	if trail != nil {
		trail.Committed(committed)
	}
	unit.Committed(ctx)
	return ending
}

// classify marks what the connection said as store.ErrUnavailable, so that callers answer 503 and not 500.
func (s *Store) classify(err error) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, store.ErrUnavailable):
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, context.DeadlineExceeded), errors.As(err, &connect), pgconn.SafeToRetry(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case errors.As(err, &pg) && unreachable(pg.Code):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// unreachable: class 08 connection, 53 resources, 57 operator intervention, 58 system error.
func unreachable(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57") || strings.HasPrefix(code, "58")
}

// lost tells whether another transaction was in the way: serialization failure or deadlock on PostgreSQL.
func lost(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// conn is what *sql.DB and *sql.Tx have in common.
type conn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// in returns the transaction of ctx, else the pool.
func (s *Store) in(ctx context.Context) conn {
	if tx, ok := ctx.Value(txKey{}).(*sql.Tx); ok {
		return tx
	}
	return s.db
}

// orm returns a gorm session on the transaction of ctx, else on the pool.
func (s *Store) orm(ctx context.Context) *gorm.DB {
	session := s.gorm.Session(&gorm.Session{NewDB: true, Context: ctx})
	if tx, ok := ctx.Value(txKey{}).(*sql.Tx); ok {
		session.Statement.ConnPool = tx
	}
	return session
}

// exec runs one statement with ? parameters and returns the number of rows that it touched. Outside a transaction on
// SQLite it waits for the writer's turn.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if _, inside := ctx.Value(txKey{}).(*sql.Tx); !inside && s.engine == sqlite {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	result, err := s.in(ctx).ExecContext(ctx, s.bind(query), args...)
	if err != nil {
		return 0, s.classify(err)
	}
	return result.RowsAffected()
}

// row reads one row; no row is store.ErrNotFound. With RETURNING it decides a conditional statement.
func (s *Store) row(ctx context.Context, query string, args []any, into ...any) error {
	if _, inside := ctx.Value(txKey{}).(*sql.Tx); !inside && s.engine == sqlite && writes(query) {
		s.writer.Lock()
		defer s.writer.Unlock()
	}
	err := s.in(ctx).QueryRowContext(ctx, s.bind(query), args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	if err != nil {
		return s.classify(err)
	}
	return nil
}

// each calls scan for every row.
func (s *Store) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := s.in(ctx).QueryContext(ctx, s.bind(query), args...)
	if err != nil {
		return s.classify(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return s.classify(rows.Err())
}

func writes(query string) bool {
	return !strings.HasPrefix(strings.TrimLeft(query, " \t\n"), "SELECT")
}

// bind turns ? parameters into $1, $2, … for PostgreSQL. Queries hold no literal question marks.
func (s *Store) bind(query string) string {
	if s.engine == sqlite {
		return query
	}
	if b, ok := s.bound.Load(query); ok {
		return b.(string)
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		} else {
			b.WriteRune(r)
		}
	}
	s.bound.Store(query, b.String())
	return b.String()
}
