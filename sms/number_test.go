package sms_test

import (
	"errors"
	"regexp"
	"testing"

	"tokenserver/sms"
)

func TestNumber(t *testing.T) {
	for _, tc := range []struct{ text, country, want string }{
		{"+31612345678", "", "+31612345678"},
		{"+31 (0)6 1234 5678", "", "+31612345678"},
		{"0031612345678", "NL", "+31612345678"},
		{"0612345678", "NL", "+31612345678"},
		{"+49 171 2345678", "NL", "+491712345678"},
		{"(202) 555-0143", "US", "+12025550143"},
		{"+1 500 555 0006", "", "+15005550006"},
		{"tel:+31612345678", "", "+31612345678"},
		{"0612345678", "", ""},
		{"+0612345678", "NL", ""},
		{"+99912345678", "", ""},
		{"+3161234567812345678", "", ""},
		{"112", "NL", ""},
		{"0612345678", "XX", ""},
	} {
		got, err := sms.Number(tc.text, tc.country)
		var refused *sms.Refused
		if got != tc.want || (tc.want == "") != (errors.As(err, &refused) && refused.InvalidNumber()) {
			t.Errorf("%q in %q: %q %v, want %q", tc.text, tc.country, got, err, tc.want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("+31612345678", "NL")
	f.Add("06;ext=1", "")
	shape := regexp.MustCompile(`^\+[1-9][0-9]{3,17}$`)
	f.Fuzz(func(t *testing.T, text, country string) {
		got, err := sms.Number(text, country)
		if err != nil {
			return
		}
		if !shape.MatchString(got) {
			t.Fatalf("%q becomes %q", text, got)
		}
		if again, err := sms.Number(got, ""); err != nil || again != got {
			t.Fatalf("%q becomes %q becomes %q (%v)", text, got, again, err)
		}
	})
}
