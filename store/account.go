package store

import (
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Account is a person. Most sign in with a username and a password that this server keeps; others are vouched for by an
// outside identity provider, and then Namespace says whose user ids theirs is one of.
type Account struct {
	ID           string     // the subject of tokens; never changes
	Namespace    string     // "" = a built-in account; else the namespace of the providers that vouch for the person
	ExternalID   string     // of a person who is vouched for: the id as the provider issued it
	Username     string     // as typed by the administrator; unique under UsernameKey. Of a person who is vouched for the same as ID
	PasswordHash string     // argon2id in PHC form; "" = cannot sign in with a password
	Disabled     bool       //
	Attributes   Attributes // claims of userinfo: name, email, …
	CreatedAt    time.Time
	UpdatedAt    time.Time
	SignInsSince time.Time // earlier sign-ins do not count: the password was changed then, or the account disabled; zero = never
}

// UsernameKey is the form under which usernames are unique and looked up: case folded and compatibility-composed, so
// that "Ann", "ann" and full-width "ａｎｎ" are one person.
func UsernameKey(username string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(username)))
}
