package sqlstore_test

import (
	"testing"

	"tokenserver/store/sqlstore"
)

// TestRecordsAgreeWithTheSchema reads one row through every gorm record: a column that the record names and the
// migrated schema lacks, or one that the schema demands and the record lacks, is an error.
func TestRecordsAgreeWithTheSchema(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			for table, err := range sqlstore.CompareRecords(t.Context(), s) {
				if err != nil {
					t.Errorf("%s: %v", table, err)
				}
			}
		})
	}
}

func TestMigrationsGoDownAndUpAgain(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			has, needs, err := s.CheckSchema(t.Context())
			if err != nil || has != needs {
				t.Fatalf("schema %d of %d, %v", has, needs, err)
			}
			for has > 0 {
				if has, err = s.MigrateDown(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := s.CheckSchema(t.Context()); err == nil {
				t.Error("an empty schema passes as new enough")
			}
			if has, err := s.Migrate(t.Context()); err != nil || has != needs {
				t.Fatalf("up again: %d, %v", has, err)
			}
		})
	}
}
