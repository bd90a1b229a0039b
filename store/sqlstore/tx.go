package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tokenserver/audit"
	"tokenserver/store"
)

const (
	// tries is how often a transaction that lost against another one is run.
	tries = 5
	// txTimeout is how long one try may take. The sealer relies on it: see gapLife.
	txTimeout = 10 * time.Second
)

type txKey struct{}

// InTx runs f in one transaction, together with the audit events that the request's trail holds at its end. Calls of
// this store inside f with f's context join the transaction; so does a nested InTx.
//
// When f returns nil, or an error marked with store.Keep, the transaction commits and InTx returns that (unmarked)
// error; any other error rolls back, and the events recorded inside f are forgotten. f may run several times when
// another transaction was in the way. Errors: store.ErrUnavailable when it cannot commit: nothing happened.
func (s *Store) InTx(ctx context.Context, f func(context.Context) error) error {
	if transactionOf(ctx) != nil {
		return f(ctx)
	}
	// The caller hanging up must not undo a decision half-way; a store that hangs must not hold the caller for ever.
	free := context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		within, cancel := context.WithTimeout(free, txTimeout)
		unit := &store.Unit{}
		err := s.tryTx(within, unit, f)
		cancel()
		if err != nil && try < tries && lost(err) {
			continue
		}
		after, cancel := context.WithTimeout(free, txTimeout)
		unit.Committed(after) // nothing, unless it committed
		cancel()
		return err
	}
}

func (s *Store) tryTx(ctx context.Context, unit *store.Unit, f func(context.Context) error) error {
	release, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	trail := audit.TrailOf(ctx)
	mark := 0
	if trail != nil {
		mark = trail.Mark()
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return notBegun(err)
	}
	undo := func(err error) error {
		tx.rollback(ctx)
		unit.Reset()
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
	if err := tx.commit(ctx); err != nil {
		return undo(fmt.Errorf("commit: %w: %w", store.ErrUnavailable, err))
	}
	if trail != nil {
		trail.Committed(committed)
	}
	return ending
}

// turn waits until this goroutine may write, and returns what ends its turn. PostgreSQL needs no turns; on SQLite
// nobody has to spin on a locked file. Errors: store.ErrUnavailable.
func (s *Store) turn(ctx context.Context) (release func(), err error) {
	if s.engine != sqlite {
		return func() {}, nil
	}
	select {
	case s.writer <- struct{}{}:
		return func() { <-s.writer }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to write: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// classify marks what the connection said as store.ErrUnavailable, so that callers answer 503 and not 500.
func (s *Store) classify(err error) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	var file *sqlitedriver.Error
	switch {
	case err == nil, errors.Is(err, store.ErrUnavailable):
		return err
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network), errors.As(err, &connect),
		pgconn.SafeToRetry(err), pgconn.Timeout(err),
		errors.As(err, &pg) && unreachable(pg.Code), errors.As(err, &file) && failing(file.Code()):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// failing: the SQLite file is locked by somebody else, cannot be read or written, or the disk is full.
func failing(code int) bool {
	const primary = 0xff // the rest are extended codes
	switch code & primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
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
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// in returns the transaction of ctx, else the pool.
func (s *Store) in(ctx context.Context) conn {
	if tx := transactionOf(ctx); tx != nil {
		return tx
	}
	return s.db
}

// orm returns a gorm session on the transaction of ctx, else on the pool.
func (s *Store) orm(ctx context.Context) *gorm.DB {
	session := s.gorm.Session(&gorm.Session{NewDB: true, Context: ctx})
	if tx := transactionOf(ctx); tx != nil {
		session.Statement.ConnPool = tx
	}
	return session
}

// exec runs one statement with ? parameters and returns the number of rows that it touched. Outside a transaction on
// SQLite it waits for the writer's turn.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if tx := transactionOf(ctx); tx != nil {
		n, err := tx.exec(ctx, s.bind(query), args...)
		return n, s.classify(err)
	}
	release, err := s.turn(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	n, err := execOn(ctx, s.db, s.bind(query), args)
	return n, s.classify(err)
}

// execLast is exec for a statement that fails by no rule and that nothing in the same transaction reads back: it may
// wait for the commit, which then takes it along.
func (s *Store) execLast(ctx context.Context, query string, args ...any) error {
	if tx := transactionOf(ctx); tx != nil {
		return s.classify(tx.execLast(ctx, s.bind(query), args...))
	}
	_, err := s.exec(ctx, query, args...)
	return err
}

// row reads one row; no row is store.ErrNotFound. With RETURNING it decides a conditional statement.
func (s *Store) row(ctx context.Context, query string, args []any, into ...any) error {
	if foreign(args) {
		return store.ErrNotFound
	}
	tx := transactionOf(ctx)
	if tx == nil && writes(query) {
		release, err := s.turn(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	var err error
	if tx != nil {
		err = tx.row(ctx, s.bind(query), args, into...)
	} else {
		err = s.db.QueryRowContext(ctx, s.bind(query), args...).Scan(into...)
	}
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
	if foreign(args) {
		return nil
	}
	rows, err := s.in(ctx).QueryContext(ctx, s.bind(query), args...)
	if err != nil {
		return s.classify(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return s.classify(err)
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
