package oauth

import (
	"strings"
	"testing"
)

func TestUserCodes(t *testing.T) {
	letters := map[rune]int{}
	for range 2000 {
		code := newUserCode()
		if got, ok := readUserCode(code); !ok || got != code {
			t.Fatalf("%q is read as %q", code, got)
		}
		for _, r := range code {
			letters[r]++
		}
	}
	if len(letters) != len(userCodeLetters) {
		t.Errorf("%d letters in use, want %d", len(letters), len(userCodeLetters))
	}
	for typed, want := range map[string]string{
		"bcdf-ghjk": "BCDFGHJK", " B C D F\u00a0G H J K ": "BCDFGHJK", "BCDF\u2011GHJK": "BCDFGHJK", "BCDF.GHJK_": "BCDFGHJK",
		"": "", "BCDFGHJ": "", "BCDFGHJKL": "", "BCDFGHJA": "", "BCDFGHJ1": "", "BCDF/GHJK": "", "ＢCDFGHJK": "", strings.Repeat(" ", 60) + "BCDFGHJK": "",
	} {
		if got, ok := readUserCode(typed); ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v", typed, got, ok)
		}
	}
}

func FuzzReadUserCode(f *testing.F) {
	f.Add("bcdf-ghjk")
	f.Add("\xff\u2011ſ")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := readUserCode(typed)
		if !ok {
			return
		}
		if again, ok := readUserCode(shownUserCode(code)); !ok || again != code {
			t.Errorf("%q is read as %q, which is read as %q", typed, code, again)
		}
	})
}
