package phone_test

import (
	"testing"

	"tokenserver/phone"
)

func TestCheckPIN(t *testing.T) {
	strict := phone.PINPolicy{Length: 5, MaxSimilarDigits: 2, BlockedPINs: []string{"48210"}}
	loose := phone.PINPolicy{Length: 5, MaxSimilarDigits: 5, SequencesAllowed: true}
	for _, tc := range []struct {
		name   string
		policy phone.PINPolicy
		pin    string
		want   int
	}{
		{"good", strict, "48213", 0},
		{"run of two", strict, "11238", 0},
		{"same digit three times, not in a run", strict, "12161", 0},
		{"run of three", strict, "81112", phone.NumberPINSimilarDigits},
		{"too short", strict, "4821", phone.NumberPINLength},
		{"too long", strict, "482133", phone.NumberPINLength},
		{"letter", strict, "4821a", phone.NumberPINLength},
		{"digit of another script", strict, "482\u0663", phone.NumberPINLength},
		{"step one", strict, "12345", phone.NumberPINSequence},
		{"step two", strict, "13579", phone.NumberPINSequence},
		{"falling", strict, "97531", phone.NumberPINSequence},
		{"almost a sequence", strict, "12346", 0},
		{"blocked", strict, "48210", phone.NumberPINBlocked},
		{"sequence allowed", loose, "12345", 0},
		{"one digit allowed", loose, "11111", 0},
		{"no policy", phone.PINPolicy{}, "1234", 0},
		{"no policy, empty", phone.PINPolicy{}, "", phone.NumberPINLength},
	} {
		got := 0
		if e := phone.Refused(phone.CheckPIN(tc.policy, tc.pin)); e != nil {
			got = e.SDKNumber
		}
		if got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}
