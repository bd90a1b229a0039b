package token_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"tokenserver/internal/keys"
	"tokenserver/internal/token"
)

// TestAccessTokenHash: at_hash is made with the hash of the key that signs (OpenID Connect Core §3.1.3.6).
func TestAccessTokenHash(t *testing.T) {
	for algorithm, digest := range map[string]hash.Hash{
		keys.ES256: sha256.New(), "ES384": sha512.New384(), "ES512": sha512.New(), keys.RS256: sha256.New(), "PS384": sha512.New384(),
	} {
		t.Run(algorithm, func(t *testing.T) {
			p := newProcess(t, sqlite(t), newRedis(t))
			ring := &keys.Ring{Store: p.sql, Keys: p.Keys, Algorithm: algorithm, Now: frozen, NewID: uuid.NewString}
			if err := ring.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if algorithm != keys.ES256 { // the process has made the first keys
				if err := ring.ChangeAlgorithm(t.Context(), algorithm, 0); err != nil {
					t.Fatal(err)
				}
			}
			p.Ring = ring
			issued := p.issue(t, token.Grant{ClientID: "c", UserID: "ann", IDToken: true, IDTokenLife: time.Minute})
			claims := jwt.MapClaims{}
			parsed, _, err := jwt.NewParser().ParseUnverified(issued.IDToken, claims)
			if err != nil {
				t.Fatal(err)
			}
			digest.Write([]byte(issued.AccessToken))
			sum := digest.Sum(nil)
			if want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]); parsed.Header["alg"] != algorithm || claims["at_hash"] != want {
				t.Errorf("alg %v, at_hash %v, want %s", parsed.Header["alg"], claims["at_hash"], want)
			}
		})
	}
}
