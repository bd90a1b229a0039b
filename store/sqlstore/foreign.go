package sqlstore

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// foreign tells whether one of the parameters is a text that PostgreSQL cannot hold: bytes that are not UTF-8, or NUL.
// No row has it, and asking for it would be an error of the driver instead of an empty result. Both engines answer alike.
func foreign(args []any) bool {
	return slices.ContainsFunc(args, func(arg any) bool {
		text, ok := arg.(string)
		return ok && (strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text))
	})
}
