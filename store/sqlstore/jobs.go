package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tokenserver/store"
)

// AddJob writes work that outlives the request, in the transaction of ctx when there is one.
func (s *Store) AddJob(ctx context.Context, job store.Job) error {
	err := s.execLast(ctx, `INSERT INTO jobs (id, kind, payload, attempts, not_before, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
		job.ID, job.Kind, string(job.Payload), job.Attempts, micros(job.NotBefore), micros(job.CreatedAt))
	if err != nil {
		return fmt.Errorf("add job: %w", err)
	}
	return nil
}

// ClaimJobs takes up to limit due jobs of one kind and hides them from everybody until the lease ends: a worker that
// dies gives its jobs back that way. Each claim counts as a try.
func (s *Store) ClaimJobs(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]store.Job, error) {
	skip, quick := "", ""
	if s.engine == postgreSQL {
		skip = " FOR UPDATE SKIP LOCKED"
		// Nobody waits for the disk here: a claim that a crash undoes is a job that is claimed again.
		quick = " FROM (SELECT set_config('synchronous_commit', 'off', TRUE)) quick"
	} else if transactionOf(ctx) == nil {
		release, err := s.turn(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	var jobs []store.Job
	// One statement is a transaction of its own.
	err := s.each(ctx, `UPDATE jobs SET attempts = attempts + 1, not_before = ?`+quick+` WHERE id IN (
		SELECT id FROM jobs WHERE kind = ? AND dead = FALSE AND not_before <= ? ORDER BY not_before LIMIT ?`+skip+`)
		RETURNING id, kind, payload, attempts, not_before, created_at`,
		[]any{micros(now.Add(lease)), kind, micros(now), limit},
		func(rows *sql.Rows) error {
			var j store.Job
			var notBefore, createdAt int64
			if err := rows.Scan(&j.ID, &j.Kind, &j.Payload, &j.Attempts, &notBefore, &createdAt); err != nil {
				return err
			}
			j.NotBefore, j.CreatedAt = moment(notBefore), moment(createdAt)
			jobs = append(jobs, j)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("claim jobs: %w", err)
	}
	return jobs, nil
}

// RetryJob sets the next try of a claimed job.
func (s *Store) RetryJob(ctx context.Context, id string, notBefore time.Time) error {
	if _, err := s.exec(ctx, `UPDATE jobs SET not_before = ? WHERE id = ?`, micros(notBefore), id); err != nil {
		return fmt.Errorf("retry job: %w", err)
	}
	return nil
}

// FinishJob removes a job that is done. Errors: store.ErrNotFound when somebody else finished it.
func (s *Store) FinishJob(ctx context.Context, id string) error {
	quick := ""
	if s.engine == postgreSQL {
		// As for a claim: a crash that undoes the end undoes its events with it, and the job is done once more.
		quick = " USING (SELECT set_config('synchronous_commit', 'off', TRUE)) quick"
	}
	n, err := s.exec(ctx, `DELETE FROM jobs`+quick+` WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("finish job: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}

// BuryJob keeps a job that will not be tried again, for people to look at. Errors: store.ErrNotFound.
func (s *Store) BuryJob(ctx context.Context, id string) error {
	n, err := s.exec(ctx, `UPDATE jobs SET dead = TRUE WHERE id = ? AND dead = FALSE`, id)
	if err != nil {
		return fmt.Errorf("bury job: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}

// CountJobs returns how many jobs wait and how many are dead, for metrics.
func (s *Store) CountJobs(ctx context.Context) (waiting, dead int64, err error) {
	err = s.row(ctx, `SELECT COUNT(*) FILTER (WHERE NOT dead), COUNT(*) FILTER (WHERE dead) FROM jobs`, nil, &waiting, &dead)
	return waiting, dead, err
}
