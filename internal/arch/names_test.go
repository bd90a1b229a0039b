package arch

import (
	"path"
	"slices"
	"testing"
)

// maxLines is where a file is split; generated ones are as long as they are.
const maxLines = 500

// TestNames refuses folders and files that are named after nothing, and files that grew past reading.
func TestNames(t *testing.T) {
	folders := []string{"util", "utils", "common", "types", "models", "helpers", "misc"}
	buckets := []string{"util.go", "utils.go", "common.go", "types.go", "models.go", "helpers.go", "const.go", "consts.go", "constants.go", "errors.go"}
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if slices.Contains(folders, path.Base(s.folder)) || slices.Contains(buckets, path.Base(s.file)) {
			t.Errorf("%s: name it after what it knows", s.file)
		}
		if s.lines > maxLines && !s.test && !s.generated() {
			t.Errorf("%s: %d lines; cut it at a noun of the protocol", s.file, s.lines)
		}
		if !s.test {
			documented[s.folder] = documented[s.folder] || s.tree.Doc != nil
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment; doc.go says what the package owns and what it does not do", folder)
		}
	}
}
