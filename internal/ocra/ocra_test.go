package ocra_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/ocra"
)

func suite(t *testing.T, text string) ocra.Suite {
	t.Helper()
	s, err := ocra.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// TestVectorsOfTheRFC is RFC 6287 Appendix C, without the inputs that are not supported.
func TestVectorsOfTheRFC(t *testing.T) {
	s := suite(t, "OCRA-1:HOTP-SHA1-6:QN08")
	for n, want := range []string{"237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470"} {
		question := strings.Repeat(string(rune('0'+n)), 8)
		if got, err := s.Response([]byte("12345678901234567890"), question, 0); err != nil || got != want {
			t.Errorf("question %s: %s, %v, want %s", question, got, err, want)
		}
	}
	timed := suite(t, "OCRA-1:HOTP-SHA512-8:QN08-T1M")
	key := []byte("1234567890123456789012345678901234567890123456789012345678901234")
	for n, want := range []string{"95209754", "55907591", "22048402", "24218844", "36209546"} {
		question := strings.Repeat(string(rune('0'+n)), 8)
		if got, err := timed.Response(key, question, 0x132d0b6); err != nil || got != want {
			t.Errorf("timed question %s: %s, %v, want %s", question, got, err, want)
		}
	}
}

func TestRegistrationVector(t *testing.T) {
	s := suite(t, ocra.Registration)
	key, err := hex.DecodeString("d417e6fe01a8b22877a7edcd974747c54f0d13a7db476290a07de4909fe67388")
	if err != nil {
		t.Fatal(err)
	}
	step := s.StepAt(time.Unix(1795183200, 0))
	if step != 29919720 {
		t.Errorf("step %d, want 29919720", step)
	}
	const want = "de71e43f006e252ab0d865c42e57a163ce3c81bb6e0990d565c01360d3d423e0"
	got, err := s.Response(key, "9d1e4b7c02f85a6633c1e0d9a4472b8f50bc6ad21977e3450fa8c2b6e49d1037", step)
	if err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{
		"", "OCRA-1:HOTP-MD5-6:QN08", "OCRA-2:HOTP-SHA1-6:QN08", "OCRA-1:HOTP-SHA1-3:QN08", "OCRA-1:HOTP-SHA1-6:C-QN08",
		"OCRA-1:HOTP-SHA1-6:QN03", "OCRA-1:HOTP-SHA1-6:QN65", "OCRA-1:HOTP-SHA1-6:QN08-T0M", "OCRA-1:HOTP-SHA1-6:QN08-T60M", "OCRA-1:HOTP-SHA1-6:QN08-PSHA1",
	} {
		if _, err := ocra.Parse(text); !errors.Is(err, ocra.ErrSuite) {
			t.Errorf("suite %q: %v, want ErrSuite", text, err)
		}
	}
	for question, kind := range map[string]string{"12x": "N", "-1": "N", "zz": "H", strings.Repeat("0", 9): "H", strings.Repeat("a", 9): "A"} {
		if _, err := suite(t, "OCRA-1:HOTP-SHA1-6:Q"+kind+"08").Response([]byte("k"), question, 0); !errors.Is(err, ocra.ErrQuestion) {
			t.Errorf("question %q: %v, want ErrQuestion", question, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ocra.Registration, "00")
	f.Add("OCRA-1:HOTP-SHA1-6:QA08-T59S", "ä")
	f.Fuzz(func(t *testing.T, text, question string) {
		s, err := ocra.Parse(text)
		if err != nil {
			return
		}
		if got, err := s.Response([]byte("key"), question, s.StepAt(time.Unix(1e9, 0))); err == nil && got == "" {
			t.Error("an empty response")
		}
	})
}
