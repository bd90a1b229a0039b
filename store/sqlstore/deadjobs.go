package sqlstore

import (
	"context"
	"fmt"

	"tokenserver/store"
)

// jobRecord is a row of jobs.
type jobRecord struct {
	ID        string `gorm:"primaryKey"`
	Kind      string
	Payload   string
	Attempts  int
	NotBefore int64
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	Dead      bool
}

// TableName is gorm's name of the table.
func (jobRecord) TableName() string { return "jobs" }

// DeadJobs returns jobs that will not be tried again, newest first, at most limit: people look at them.
func (s *Store) DeadJobs(ctx context.Context, limit int) ([]store.Job, error) {
	var records []jobRecord
	if err := s.orm(ctx).Where("dead").Order("created_at DESC, id").Limit(limit).Find(&records).Error; err != nil {
		return nil, fmt.Errorf("list dead jobs: %w", s.classify(err))
	}
	jobs := make([]store.Job, len(records))
	for i, r := range records {
		jobs[i] = store.Job{
			ID: r.ID, Kind: r.Kind, Payload: []byte(r.Payload), Attempts: r.Attempts,
			NotBefore: moment(r.NotBefore), CreatedAt: moment(r.CreatedAt),
		}
	}
	return jobs, nil
}
