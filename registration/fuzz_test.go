package registration_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tokenserver/phone"
	"tokenserver/registration"
)

func FuzzClientStatement(f *testing.F) {
	key, err := phone.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := phone.SignStatement(key, phone.Claims{"iss": "bank", "iat": 1, "exp": 2, "app": phone.Claims{"identifier": "bank"}})
	if err != nil {
		f.Fatal(err)
	}
	thumbprint, err := key.Thumbprint()
	if err != nil {
		f.Fatal(err)
	}
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
