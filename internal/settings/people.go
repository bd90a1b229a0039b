package settings

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// passwords remembers what slow hashing found out, because a transaction may run several times and must be short.
type passwords struct {
	right  map[[2]string]bool // stored hash and password
	hashed map[string]string  // by password and user id
}

// newPasswords does the hashing that applying users will ask for, as things stand now.
func newPasswords(known []store.Account, users []User) *passwords {
	p := &passwords{right: map[[2]string]bool{}, hashed: map[string]string{}}
	byID := accountsByID(known)
	for _, u := range users {
		if !u.Password.Empty() && !p.matches(byID[u.ID].PasswordHash, u.Password.Reveal()) {
			p.hash(u)
		}
	}
	return p
}

func (p *passwords) matches(hash, password string) bool {
	if hash == "" {
		return false
	}
	pair := [2]string{hash, password}
	right, known := p.right[pair]
	if !known {
		var err error
		if right, err = secret.VerifyPassword(hash, password); err != nil {
			right = false // a hash that is not ours: set the password anew
		}
		p.right[pair] = right
	}
	return right
}

func (p *passwords) hash(u User) string {
	k := u.ID + "\x00" + u.Password.Reveal()
	if _, known := p.hashed[k]; !known {
		p.hashed[k] = secret.HashPassword(u.Password.Reveal())
	}
	return p.hashed[k]
}

func accountsByID(list []store.Account) map[string]store.Account {
	m := make(map[string]store.Account, len(list))
	for _, a := range list {
		m[a.ID] = a
	}
	return m
}

// people works out which accounts to write. Who is disabled or gets another password has to sign in again: such accounts
// have a SignInsSince of now.
func (s *Service) people(known []store.Account, users []User, passwords *passwords, found *problems) ([]store.Account, []Change) {
	byID := accountsByID(known)
	owner := make(map[string]string, len(known)) // username key → id, as it will be
	for _, a := range known {
		owner[store.UsernameKey(a.Username)] = a.ID
	}
	for _, u := range users {
		if a, exists := byID[u.ID]; exists {
			delete(owner, store.UsernameKey(a.Username))
		}
	}
	var put []store.Account
	var list []Change
	for i, u := range users {
		path := fmt.Sprintf("users[%d]", i)
		if id, taken := owner[store.UsernameKey(u.Username)]; taken {
			found.add(path+".username", "belongs to the account %q already", id)
		}
		was, exists := byID[u.ID]
		is := was
		is.ID, is.Username, is.Disabled, is.Attributes, is.UpdatedAt = u.ID, u.Username, u.Disabled, stored(u.Attributes), s.Now()
		var members []string
		switch {
		case !u.Password.Empty():
			if !passwords.matches(was.PasswordHash, u.Password.Reveal()) {
				is.PasswordHash = passwords.hash(u)
				members = append(members, "password")
			}
		case !exists && u.Password.Kept():
			found.add(path+".password", "is redacted, but there is no account whose password could be kept: write the password")
		case !exists:
			found.add(path+".password", "is missing: a new account needs one")
		}
		if !exists {
			is.CreatedAt = is.UpdatedAt
			put, list = append(put, is), append(list, Change{Action: Created, Kind: KindUser, Name: u.ID})
			continue
		}
		members = append(members, changedMembers(was, is)...)
		if slices.Contains(members, "password") || is.Disabled && !was.Disabled {
			is.SignInsSince = is.UpdatedAt
		}
		if len(members) > 0 {
			slices.Sort(members)
			put, list = append(put, is), append(list, Change{Action: Updated, Kind: KindUser, Name: u.ID, Members: members})
		}
	}
	return put, list
}

// changedMembers names what differs, but for the password.
func changedMembers(was, is store.Account) []string {
	var members []string
	if was.Username != is.Username {
		members = append(members, "username")
	}
	if was.Disabled != is.Disabled {
		members = append(members, "disabled")
	}
	if !maps.Equal(written(was.Attributes), written(is.Attributes)) {
		members = append(members, "attributes")
	}
	return members
}

// stored is how the attributes of a document are stored.
func stored(texts map[string]string) store.Attributes {
	attributes := make(store.Attributes, len(texts))
	for name, text := range texts {
		attributes[name] = text
	}
	return attributes
}

// written is how stored attributes stand in a document.
func written(attributes store.Attributes) map[string]string {
	texts := make(map[string]string, len(attributes))
	for name := range attributes {
		texts[name] = attributes.Text(name)
	}
	return texts
}

// writePeople stores accounts, and ends the tokens of those who have to sign in again. The account is written first: who
// is redeeming a code holds it, so the tokens that come of that are there to be ended.
func (s *Service) writePeople(ctx context.Context, known, put []store.Account) error {
	was := accountsByID(known)
	for _, a := range put {
		if err := s.Accounts.PutAccount(ctx, a); err != nil {
			return err
		}
		if a.SignInsSince.Equal(was[a.ID].SignInsSince) {
			continue
		}
		if _, err := s.Tokens.RevokeUser(ctx, a.ID); err != nil {
			return fmt.Errorf("end the tokens of a user: %w", err)
		}
	}
	return nil
}
