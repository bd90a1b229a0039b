package device_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"tokenserver/internal/device"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// The published vectors of the device protocol.
const (
	vectorJWS = "eyJhbGciOiJFUzI1NiIsInR5cCI6Im1hLWFuc3dlcitqd3QiLCJraWQiOiI0YjBjNmYwZS02ZjZiLTRhNTUtOWM0My0wZDZhNWExZjdlMjEifQ.eyJhdWQiOiJodHRwczovL3Rva2VuLmV4YW1wbGUuY29tL29hdXRoIiwiaWF0IjoxNzY3MjI1NjAwLCJqdGkiOiJlMmMxZjZhNC03N2QwLTRhMmUtOWMxYi01ZjdkM2E5YjhjNjAiLCJ0cmFuc2FjdGlvbl9pZCI6IjlkMmY0YzFhLTNiN2UtNGYwZC04YTU2LTFjMmUzZjRhNWI2YyIsInVzZXIiOiJRVzRSVFkiLCJyZXNwb25zZSI6ImFjY2VwdCIsIm1ldGhvZCI6InB1c2hfd2l0aF9waW4iLCJjaGFsbGVuZ2UiOiJlSTVHZVB4TVlyVWRQS0dmcWpvb210VzBOZEQtYzVYUkxNMDZvSUNmT2dRIiwicmVmcmVzaF90b2tlbiI6IkY4QTIzOUNCRjJDNTcxQkM0QzgzQUM1QjczQTJFMUE0NDExRjFENTQ3QjU5ODMyMTg5OUYyRDI1MkE5NDI5RjMifQ.CwwhfanCq9EGNd53ionMnxlqicsLKw6EN1CO7XIOiRlVKzDjg_0tpWa9Q-4N5B3Ao0E3nfAwhl147iu4f7-4SQ"
	vectorJWE = "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSIsImtpZCI6InNydi1lbmMtMSIsImN0eSI6IkpXVCIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6IkN3SG5oNXRRY2tDLWNOWE5BYW9KalBJYUEwYl9RX2hlSUUtUWc2LUJEU0EiLCJ5IjoicWF0NWM5dWJLdl9qX0ZvUnN2bjJSdGtqUEI0Wndpc3ZOdVZTdTlsQnJ4MCJ9fQ..AAECAwQFBgcICQoL.umZtu8CIfsM_ON9a-gYqqQkcFgb1AIKD-no89m6OGslrq7AH0jcZggwGL6ltTOhFKZdfXUXhBuVgCOhVv8bjRCrOL0qm9LRfTgG_HQYFMSIJHiNSWSBFLTqN59ECSNPCMxbhokaD2UJ5DGUIxUQdns7wk4z3z9OcKgi8V-rMlA_ET3TLDShEUmTgXoelOwMSs8z9BKGejljjSjSTX8GH93tQbMp9c9TzOHGojajcOiNHBZ3wj4MMHO4iPIz3MjJ2pX5qW4z15KBxp6xXxftjXsqO5gDxxVUginhmnqVA1tsLlH6salBzZooWZ27955YMmzSbzAgilmDMU27ZJYD8vWrY-pCNvcDIRIDl15-MVnKHAPQzlrxfXCo1cDADQIz_LADtIcIZC0gKviPULjA2JKkRYRG4IdRDIdaDPV3keace4A6bGvK5aiTqBbpXRDMA-YWSTiCd9Ks0WPOmcTpSW9-srmgg5BP3gmn66tzvRMRzNZrPb3XV0P9EEKqHr0_ezI-nOHi6ZBGI1z3kAPh9s93FgSiiHaUWQhuB6xXFh5D9ysYXDMBxGPQe5pzKP1ZCyL5D7bvby6eqTkWDojJJ8DxThO-YWHpxp7bZcdCavJ9xFneshI0iaEAjRwL83sDQSMb3cGPYlZFriseX9Z9_WvjHyG0dvU8t8R3XvDLKglmYzESU2Ji5299AiqkI-dcOLChC8Bfs6hm7JmMhtAiVPgYeCj7nF4sBCq_d49bmVQiykeAf_8f8Wn14TCnFVgm43z3xkA90yyqxDazyEflVM5KtH6yPSufdf5qU3XtnmcQqqPC3A5clrd2K3MXzlUzdvs6r0lJ0JHISnOFWINlW6vpq6TxObf5vUvuXDnu3ogm2ZlfIiSAwtsvYib_Mj4AZFhhO6UvaKT4.e_qZsGC5ZyGk0fPzp9qqQw"

	vectorDeviceKey = `{"kty":"EC","crv":"P-256","use":"sig","x":"4Zz83L-uUp5K_Zmxb6OcYnHsyJjNcGRA3OkcF5Huqg4","y":"XT0NxHNGbBN-jW5yIVK5AlleyXfJ3wuHytIXabGNemM"}`
	vectorServerKey = `{"kty":"EC","crv":"P-256","use":"enc","x":"PNOdTzTuSsr9vNLmjEinrSe148eFevmXTBtY2OALERw","y":"ckTuPg9hIlKMROCjNR-AtzAhlqLRwhDmoejngZBEtRQ","d":"aBv44uY9zUazFAFV5AR4HoU5MvX1WtgJh2Pj1mNqQmk"}`

	vectorIssuer      = "https://token.example.com/oauth"
	vectorEnrollment  = "4b0c6f0e-6f6b-4a55-9c43-0d6a5a1f7e21"
	vectorTransaction = "9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c"
	vectorSigningData = `{"amount":"125.00","currency":"EUR","iban":"NL00BANK0123456789"}`
	vectorSignedData  = "dHMtdHJhbnNhY3Rpb24tdjEAOWQyZjRjMWEtM2I3ZS00ZjBkLThhNTYtMWMyZTNmNGE1YjZjAHsiYW1vdW50IjoiMTI1LjAwIiwiY3VycmVuY3kiOiJFVVIiLCJpYmFuIjoiTkwwMEJBTkswMTIzNDU2Nzg5In0="
	vectorSignature   = "MEUCIQCexvi7DUxg5301f5s1cbdPYvoJZt5ZUGsNqS21sOmo2gIgYwLiVj/JVTSsAtPQdu7WBt1xN2b4S/2mr0jCmR22od8="
	vectorPEM         = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4Zz83L+uUp5K/Zmxb6OcYnHsyJjN
cGRA3OkcF5Huqg5dPQ3Ec0ZsE36NbnIhUrkCWV7Jd8nfC4fK0hdpsY16Yw==
-----END PUBLIC KEY-----
`
)

// vectorTime is the iat of the answer.
func vectorTime() time.Time { return time.Unix(1767225600, 0) }

func testKeys(t testing.TB) *secret.Keys {
	t.Helper()
	keys, err := secret.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mustKey(t testing.TB, jwk string) device.PublicKey {
	t.Helper()
	key, err := device.ParsePublicKey([]byte(jwk))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestVectorAnswerVerifies(t *testing.T) {
	signed, err := device.ParseSigned(vectorJWS)
	if err != nil {
		t.Fatal(err)
	}
	if signed.KID != vectorEnrollment || signed.Type != device.AnswerType {
		t.Errorf("kid %q, typ %q", signed.KID, signed.Type)
	}
	verifier := device.Verifier{Once: &marks{}, Issuer: vectorIssuer, Now: vectorTime}
	var claims struct {
		Method       string `json:"method"`
		RefreshToken string `json:"refresh_token"`
		Challenge    string `json:"challenge"`
	}
	if err := verifier.Verify(t.Context(), signed, mustKey(t, vectorDeviceKey), device.AnswerType, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Method != "push_with_pin" || claims.Challenge != "eI5GePxMYrUdPKGfqjoomtW0NdD-c5XRLM06oICfOgQ" ||
		claims.RefreshToken != "F8A239CBF2C571BC4C83AC5B73A2E1A4411F1D547B598321899F2D252A9429F3" {
		t.Errorf("claims %+v", claims)
	}
}

// vectorStore holds the server key of the vectors under its published name.
type vectorStore struct{ key store.ServerKey }

func (s vectorStore) AddServerKey(context.Context, store.ServerKey) error { return store.ErrConflict }

func (s vectorStore) SharedServerKeys(context.Context) ([]store.ServerKey, error) { return nil, nil }

func (s vectorStore) ServerKey(_ context.Context, kid string) (store.ServerKey, error) {
	if kid != s.key.KID {
		return store.ServerKey{}, store.ErrNotFound
	}
	return s.key, nil
}

func vectorServer(t testing.TB, kid string) *device.ServerKeys {
	t.Helper()
	keys := testKeys(t)
	key := store.ServerKey{KID: kid, Purpose: store.KeyForEncryption}
	key.Private = keys.Seal([]byte(vectorServerKey), key.Place())
	return &device.ServerKeys{Store: vectorStore{key}, Keys: keys, Now: vectorTime}
}

func TestVectorAnswerDecrypts(t *testing.T) {
	encrypted, err := device.ParseEncrypted(vectorJWE)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := vectorServer(t, "srv-enc-1").Decrypt(t.Context(), encrypted)
	if err != nil || plain != vectorJWS {
		t.Fatalf("%v, %q", err, plain)
	}
	if _, err := vectorServer(t, "srv-enc-2").Decrypt(t.Context(), encrypted); !errors.Is(err, device.Undecryptable) {
		t.Errorf("unknown key: %v", err)
	}
}

func TestVectorTransactionSignature(t *testing.T) {
	data := device.SignedData(vectorTransaction, vectorSigningData)
	if got := base64.StdEncoding.EncodeToString(data); got != vectorSignedData || len(data) != 119 {
		t.Fatalf("signed data %s", got)
	}
	signature, err := base64.StdEncoding.DecodeString(vectorSignature)
	if err != nil {
		t.Fatal(err)
	}
	key := mustKey(t, vectorDeviceKey)
	if !key.VerifyData(data, signature) {
		t.Error("the signature does not verify over the signed data")
	}
	if key.VerifyData([]byte(vectorSigningData), signature) {
		t.Error("the signature verifies over the raw signing data")
	}
	if pem, err := key.PEM(); err != nil || pem != vectorPEM {
		t.Errorf("%v %s", err, pem)
	}
}

func TestThumbprint(t *testing.T) {
	// The key of RFC 7517 appendix A.1; its thumbprint was computed with another implementation.
	key := mustKey(t, `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}`)
	if got := key.Thumbprint(); got != "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s" {
		t.Error(got)
	}
	again := mustKey(t, string(key.JWK()))
	if !again.Equal(key) || again.KID != "1" || again.Use != store.KeyForEncryption {
		t.Errorf("%s does not read back", key.JWK())
	}
	if len(hex.EncodeToString([]byte(device.KeysHash(key, again)))) != 86 {
		t.Error("keys hash is not 43 characters")
	}
}
