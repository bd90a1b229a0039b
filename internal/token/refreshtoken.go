package token

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// A refresh token is 64 upper-case hex digits, derived under the server's key from family, generation and nonce.
//
// Of an installation all of them are derived: nothing about the token may tell a right PIN from a wrong one, and the
// profile says which family it is to be compared with. Of a web client the first half is the id of the family, so that
// it is found without an index over tokens, which every rotation would have to write; the second half is 128 bits that
// nobody without the key can guess.
const webHalf = 16 // bytes

// refreshTokens derives the refresh token of one generation. The first is derived from the current key-encryption key,
// the others from former ones.
func (s *Service) refreshTokens(f store.TokenFamily, generation int) []string {
	var tokens []string
	for _, mac := range s.Keys.MACs(secret.ForSuccessor, f.ID, strconv.Itoa(generation), string(f.Nonce)) {
		text := hex.EncodeToString(mac)
		if f.ProfileID == StaticProfile {
			text = strings.ReplaceAll(f.ID, "-", "") + text[:2*webHalf]
		}
		tokens = append(tokens, strings.ToUpper(text))
	}
	return tokens
}

// familyIDOf reads the family's id in a token of a web client; "" when the text cannot be one.
func familyIDOf(text string) string {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 2*webHalf || strings.ToUpper(text) != text {
		return ""
	}
	id := hex.EncodeToString(raw[:webHalf])
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// familyOfWeb finds the family that a token of a web client names. Whether the rest of the token is right is still to be
// compared. Errors: store.ErrNotFound.
func (s *Service) familyOfWeb(ctx context.Context, text string) (store.TokenFamily, error) {
	id := familyIDOf(text)
	if id == "" {
		return store.TokenFamily{}, store.ErrNotFound
	}
	f, err := s.Search.Family(ctx, id)
	if err == nil && f.ProfileID != StaticProfile {
		return store.TokenFamily{}, store.ErrNotFound
	}
	return f, err
}

// fingerprintFamily finds the family of a fingerprint token, current or rotated out, among those of an installation or of
// one profile of it. The DEFAULT ones are not looked at: comparing those is a guess of the PIN, which is to be counted.
// Errors: store.ErrNotFound.
func (s *Service) fingerprintFamily(ctx context.Context, clientID, profileID, text string) (store.TokenFamily, error) {
	which := store.FamilyFilter{ClientID: clientID, ProfileID: profileID, Kind: store.FingerprintToken}
	list, err := s.Search.Families(ctx, which)
	if err != nil {
		return store.TokenFamily{}, err
	}
	for _, f := range list {
		if s.knows(f, text) {
			return f, nil
		}
	}
	return store.TokenFamily{}, store.ErrNotFound
}

// knows tells whether a token is the current one of a family, or a former one.
func (s *Service) knows(f store.TokenFamily, text string) bool {
	return s.Keys.Equal(secret.ForRefreshToken, f.CurrentHash, text) ||
		len(f.PreviousHash) > 0 && s.Keys.Equal(secret.ForRefreshToken, f.PreviousHash, text) || s.former(f, text)
}

// longestMemory is how many rotated-out tokens of a family are told from wrong ones.
const longestMemory = 100

// former tells whether a token is an older one than the two whose hashes are kept. All of them can be derived again.
func (s *Service) former(f store.TokenFamily, text string) bool {
	found := 0
	for g := max(0, f.Generation-longestMemory); g < f.Generation-1; g++ {
		for _, token := range s.refreshTokens(f, g) {
			found |= subtle.ConstantTimeCompare([]byte(token), []byte(text))
		}
	}
	return found == 1
}

// errUnderivable is returned when a key-encryption key was taken away that refresh tokens still come from.
var errUnderivable = errors.New("the current refresh token cannot be derived: a former key-encryption key is missing")

// currentToken derives the current token of a family again, from the key that it was made with.
func (s *Service) currentToken(f store.TokenFamily) (string, error) {
	for _, token := range s.refreshTokens(f, f.Generation) {
		if s.Keys.Equal(secret.ForRefreshToken, f.CurrentHash, token) {
			return token, nil
		}
	}
	return "", errUnderivable
}

func (s *Service) refreshHash(token string) []byte { return s.Keys.MAC(secret.ForRefreshToken, token) }

// FamilyOf returns the family that a refresh token of a web client, current or rotated out, belongs to.
// Errors: store.ErrNotFound.
func (s *Service) FamilyOf(ctx context.Context, refreshToken string) (store.TokenFamily, error) {
	f, err := s.familyOfWeb(ctx, refreshToken)
	if err == nil && !s.knows(f, refreshToken) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.TokenFamily{}, fmt.Errorf("find refresh token: %w", err)
	}
	return f, nil
}

// FingerprintFamilyOf returns the family that a fingerprint token of an installation, current or rotated out, belongs
// to. Errors: store.ErrNotFound.
func (s *Service) FingerprintFamilyOf(ctx context.Context, clientID, refreshToken string) (store.TokenFamily, error) {
	f, err := s.fingerprintFamily(ctx, clientID, "", refreshToken)
	if err != nil {
		return store.TokenFamily{}, fmt.Errorf("find fingerprint token: %w", err)
	}
	return f, nil
}
