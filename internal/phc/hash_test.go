package phc_test

import (
	"strings"
	"testing"

	"tokenserver/internal/phc"
)

// standard writes what stands in bcrypt's own base64 alphabet in the standard one, character for character.
func standard(text string) string {
	const own = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	const usual = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return strings.Map(func(r rune) rune { return rune(usual[strings.IndexRune(own, r)]) }, text)
}

func TestVerifyPublishedVectors(t *testing.T) {
	for _, tc := range []struct {
		name, text, secret string
	}{
		{ // RFC 6070 §2, the fifth
			"pbkdf2", "$pbkdf2-sha1$i=4096$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$PS7sT+QchJuAyNg2YsDkSospGpZM8vBwOA",
			"passwordPASSWORDpassword",
		},
		{ // of the reference implementation of Argon2
			"argon2id", "$argon2id$i=2,m=65536,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password",
		},
		{"argon2id as others write it", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
		{ // $2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe
			"bcrypt", "$bcrypt$c=6$" + standard("m0CrhHm10qJ3lXRY.5zDGO") + "$" + standard("3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"), "a",
		},
		{"padded", "$bcrypt$c=6$" + standard("m0CrhHm10qJ3lXRY.5zDGO") + "==$" + standard("3rS2KdeeWLuGmsfGlMfOxih58VYVfxe") + "=", "a"},
	} {
		h, err := phc.Parse(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if !h.Verify(tc.secret) {
			t.Errorf("%s: the right secret is refused", tc.name)
		}
		if h.Verify(tc.secret+"x") || h.Verify("") {
			t.Errorf("%s: a wrong secret is accepted", tc.name)
		}
		again, err := phc.Parse(h.String())
		if err != nil || again.String() != h.String() || !again.Verify(tc.secret) {
			t.Errorf("%s: printed as %s: %v", tc.name, h, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const salt, hash = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "want $id$parameters$salt$hash"},
		{"a secret", "s3cret", "want $id$parameters$salt$hash"},
		{"too long", "$bcrypt$" + strings.Repeat("x", 512), "is longer than 512 bytes"},
		{"crypt's own form", "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", "want $id$parameters$salt$hash"},
		{"unknown function", "$md5$i=1$" + salt + "$" + hash, "the function is unknown: want pbkdf2-sha1, argon2id or bcrypt"},
		{"no parameters", "$bcrypt$$" + salt + "$" + hash, "the parameters are malformed: want c=number"},
		{"negative", "$pbkdf2-sha1$i=-1$" + salt + "$" + hash, "the parameters are malformed: want i=number"},
		{"huge", "$pbkdf2-sha1$i=99999999999$" + salt + "$" + hash, "the parameters are malformed: want i=number"},
		{"twice", "$argon2id$i=1,t=1,m=64,p=1$" + salt + "$" + hash, "the parameters are malformed: want i=number,m=number,p=number"},
		{"one missing", "$argon2id$i=1,m=64$" + salt + "$" + hash, "the parameters are malformed: want i=number,m=number,p=number"},
		{"one too many", "$pbkdf2-sha1$i=1,m=64$" + salt + "$" + hash, "the parameters are malformed: want i=number"},
		{"another version", "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + hash, "want $id$parameters$salt$hash"},
		{"rounds without end", "$pbkdf2-sha1$i=1000001$" + salt + "$" + hash, "parameter i is 1000001: want 1 to 1000000"},
		{"no rounds", "$pbkdf2-sha1$i=0$" + salt + "$" + hash, "parameter i is 0: want 1 to 1000000"},
		{"too much memory", "$argon2id$i=1,m=262145,p=1$" + salt + "$" + hash, "parameter m is 262145: want 8 to 262144"},
		{"too little memory", "$argon2id$i=1,m=7,p=1$" + salt + "$" + hash, "parameter m is 7: want 8 to 262144"},
		{"no lanes", "$argon2id$i=1,m=64,p=0$" + salt + "$" + hash, "parameter p is 0: want 1 to 16"},
		{"too much work", "$argon2id$i=5,m=262144,p=1$" + salt + "$" + hash, "parameter i is 5: want 1 to 4"},
		{"cost", "$bcrypt$c=15$" + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 31), "parameter c is 15: want 4 to 14"},
		{"bcrypt of another size", "$bcrypt$c=10$" + salt + "$" + hash, "bcrypt has a salt of 16 bytes and a hash of 23"},
		{"salt", "$pbkdf2-sha1$i=1$c29tZX!hbHQ$" + hash, "the salt is not base64"},
		{"short salt", "$pbkdf2-sha1$i=1$AAAA$" + hash, "the salt has 3 bytes: want 8 to 64"},
		{"short hash", "$pbkdf2-sha1$i=1$" + salt + "$AAAA", "the hash has 3 bytes: want 16 to 64"},
		{"line end", "$pbkdf2-sha1$i=1$" + salt + "$" + hash + "\n", "the hash is not base64"},
	} {
		if _, err := phc.Parse(tc.text); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$pbkdf2-sha1$i=1000$c2FsdHNhbHRzYWx0c2FsdA$xqJo9YTtUg+K+qxh97T7vpMul4Y")
	f.Add("$bcrypt$c=6$o2EtjJo32sL5nZTaA7BFIQ$5tU4MfggYNwIountInOhQzkj7AXaXhzg")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := phc.Parse(text)
		if err != nil {
			return
		}
		again, err := phc.Parse(h.String())
		if err != nil || again.String() != h.String() {
			t.Fatalf("%q printed as %q, which reads as %q: %v", text, h, again, err)
		}
	})
}
