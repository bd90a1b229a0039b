package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// FuzzAnswer: whatever a provider answers, it is refused or kept within the limits, and what is kept comes back from the store
// as it was.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"a":1}{}`, `{"access_token":"x","id_token":"a.b.c","token_type":"Bearer"}`, `{"error":"invalid_grant"}`,
		`{"issuer":"https://i","authorization_endpoint":"https://i/a","token_endpoint":"https://i/t","jwks_uri":"https://i/k"}`,
		`{"sub":"a","n":12345678901234567890,"e":1e999,"l":[null,"\u0000",{"x":[1.5,true]}],"":"x"}`, "{\"\xff\":\"\xfe\"}",
		`{"deep":` + strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20) + `}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := parseObject(text)
		if err != nil {
			return
		}
		if m, err := metadataOf("https://i", members); err == nil && (m.Authorization == "" || m.Token == "" || m.KeySet == "") {
			t.Errorf("metadata %+v", m)
		}
		if got, err := tokensOf(members, 200, true); err == nil && (got.Access == "" || got.ID == "") {
			t.Errorf("tokens %+v", got)
		}
		kept := Attributes(members)
		if len(kept) > mostAttributes {
			t.Errorf("%d attributes", len(kept))
		}
		stored, err := json.Marshal(kept)
		if err != nil || strings.Contains(string(stored), `\u0000`) {
			t.Fatalf("cannot be stored: %v %s", err, stored)
		}
		var back map[string]any
		if err := json.Unmarshal(stored, &back); err != nil || !reflect.DeepEqual(back, kept) {
			t.Errorf("comes back as %v, was %v (%v)", back, kept, err)
		}
	})
}

// published is one key.
type published struct{ key jose.JSONWebKey }

func (p published) Candidates(context.Context, string, string, string) ([]jose.JSONWebKey, error) {
	return []jose.JSONWebKey{p.key}, nil
}

// FuzzIDToken: nothing but what the provider has signed is believed, and every refusal says why.
func FuzzIDToken(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	honest, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "https://i", "aud": "us", "sub": "ann", "nonce": "n", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}).SignedString(key)
	if err != nil {
		f.Fatal(err)
	}
	client := &Client{Keys: published{jose.JSONWebKey{Key: key.Public()}}, Now: func() time.Time { return now }}
	parts := strings.Split(honest, ".")
	for _, seed := range []string{
		honest, "", ".", "..", "a.b.c", parts[0] + "." + parts[1] + ".", honest + "=", honest + "\n", parts[0] + ".." + parts[2],
		"eyJhbGciOiJub25lIn0." + parts[1] + ".", "eyJhbGciOiJIUzI1NiJ9." + parts[1] + "." + parts[2], "bnVsbA.bnVsbA.bnVsbA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := client.IDToken(t.Context(), Provider{Issuer: "https://i", ClientID: "us"}, Metadata{Issuer: "https://i"}, token, Expected{Nonce: "n", MaxAge: -1})
		var refusal *Refusal
		switch {
		case token == honest && err != nil:
			t.Errorf("honest: %v", err)
		case token != honest && !errors.As(err, &refusal):
			t.Errorf("%q: %v", token, err)
		}
	})
}
