package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"gorm.io/gorm/schema"

	"tokenserver/audit"
)

// CommitWithin writes the trail's events into the transaction of ctx at once, so that a test can hold a transaction
// open after its sequence numbers have been taken.
func (s *Store) CommitWithin(ctx context.Context, trail *audit.Trail) error {
	events := trail.Pending()
	if err := s.insertEvents(ctx, events); err != nil {
		return err
	}
	trail.Committed(len(events))
	return nil
}

// CompareRecords compares the columns of every gorm record with those of its migrated table.
func CompareRecords(ctx context.Context, s *Store) map[string]error {
	result := map[string]error{}
	for _, record := range []schema.Tabler{checkpointRecord{}, jobRecord{}} {
		parsed, err := schema.Parse(record, &sync.Map{}, s.gorm.NamingStrategy)
		if err != nil {
			result[record.TableName()] = err
			continue
		}
		types, err := s.orm(ctx).Migrator().ColumnTypes(record)
		if err != nil {
			result[record.TableName()] = err
			continue
		}
		var columns []string
		for _, column := range types {
			columns = append(columns, column.Name())
		}
		names := slices.Clone(parsed.DBNames)
		slices.Sort(names)
		slices.Sort(columns)
		result[record.TableName()] = nil
		if !slices.Equal(names, columns) {
			result[record.TableName()] = fmt.Errorf("record has %v, table has %v", names, columns)
		}
	}
	return result
}

// BreakTx runs a statement in the transaction of ctx that fails.
func (s *Store) BreakTx(ctx context.Context) error {
	_, err := s.exec(ctx, `SELECT 1 / 0`)
	return err
}
