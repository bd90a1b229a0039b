package registration_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tokenserver/registration"
)

// good is a statement whose key nobody has any more, so that a fuzzer cannot sign another one; thumbprint is that key's.
const (
	good = "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6InZYSEZpQVZRb0ZDbkZRbzlmS3RnTzRoQmJaNko5d1p6ZHI0Z2Jvczl1SDAiLCJ5IjoiRVJDUFJBUlFhSmdqa0tRZmRDX1lFbHBqYU5iUnJBMVRpcVJJcE5kUXlUUSJ9LCJ0eXAiOiJjbGllbnQtc3RhdGVtZW50K2p3dCJ9" +
		".eyJhcHAiOnsiaWRlbnRpZmllciI6ImJhbmsifSwiZXhwIjoyLCJpYXQiOjEsImlzcyI6ImJhbmsifQ" +
		".oD_J_RUXdXtFwZQ-b8M6y1Od-2XIGzVPO0QjRLB40sNRbLAi_xviAS40s0YnwgnjhEVmYwPLTPklU0R__jc7qw"
	thumbprint = "5SQkGSqHB997AfVOXf1XQZmnHvbN6U7WzI6t1Qhmjvc"
)

func FuzzClientStatement(f *testing.F) {
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add("..")
	f.Add("e30.e30.")
	f.Add(parts[0] + ".e30." + parts[2])
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := registration.ParseStatement(text)
		if err == nil && got != thumbprint {
			t.Errorf("accepted a statement that nobody signed, of key %s", got)
		}
		if err == nil && text != good {
			// ECDSA has a second good signature of each text; header and payload must be those that were signed.
			if !strings.HasPrefix(text, parts[0]+"."+parts[1]+".") {
				t.Errorf("accepted %q", text)
			}
		}
	})
}

func FuzzDeviceName(f *testing.F) {
	for _, seed := range []string{"", "Zoe\u0308", "\u202eevil", strings.Repeat("👩‍👩‍👧", 60), "\xff\x00", " \u2066 x \n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := registration.CleanName(name)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 100 || strings.ContainsAny(got, "\x00\n\u202e") {
			t.Errorf("%q became %q", name, got)
		}
		if again := registration.CleanName(got); again != got {
			t.Errorf("%q became %q, then %q", name, got, again)
		}
	})
}
