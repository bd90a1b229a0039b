package sqlstore

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"tokenserver/audit"
)

// checkpointRecord is a row of audit_checkpoints.
type checkpointRecord struct {
	Position int64 `gorm:"primaryKey"`
	Hash     []byte
	Time     int64
	JWS      string `gorm:"column:jws"`
}

// TableName is gorm's name of the table.
func (checkpointRecord) TableName() string { return "audit_checkpoints" }

// AddCheckpoint keeps a signed checkpoint of the chain. A second one of the same position is ignored.
func (s *Store) AddCheckpoint(ctx context.Context, c audit.Checkpoint) error {
	record := checkpointRecord{Position: c.Position, Hash: c.Hash, Time: micros(c.Time), JWS: c.JWS}
	if err := s.orm(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&record).Error; err != nil {
		return fmt.Errorf("add audit checkpoint: %w", s.classify(err))
	}
	return nil
}

// Checkpoints returns the checkpoints, oldest first.
func (s *Store) Checkpoints(ctx context.Context) ([]audit.Checkpoint, error) {
	var records []checkpointRecord
	if err := s.orm(ctx).Order("position").Find(&records).Error; err != nil {
		return nil, fmt.Errorf("read audit checkpoints: %w", s.classify(err))
	}
	checkpoints := make([]audit.Checkpoint, len(records))
	for i, r := range records {
		checkpoints[i] = audit.Checkpoint{Position: r.Position, Hash: r.Hash, Time: moment(r.Time), JWS: r.JWS}
	}
	return checkpoints, nil
}
