package phone_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/phone"
)

// The fixed keys of the published vectors.
const (
	deviceX, deviceY, deviceD = "4Zz83L-uUp5K_Zmxb6OcYnHsyJjNcGRA3OkcF5Huqg4", "XT0NxHNGbBN-jW5yIVK5AlleyXfJ3wuHytIXabGNemM", "Kc0A1wtkjQkbgp-k7OX78tOGBWizVsQ3Qx943TtSAV8"
	serverX, serverY, serverD = "PNOdTzTuSsr9vNLmjEinrSe148eFevmXTBtY2OALERw", "ckTuPg9hIlKMROCjNR-AtzAhlqLRwhDmoejngZBEtRQ", "aBv44uY9zUazFAFV5AR4HoU5MvX1WtgJh2Pj1mNqQmk"

	vectorTransaction = "9d2f4c1a-3b7e-4f0d-8a56-1c2e3f4a5b6c"
	vectorSigningData = `{"amount":"125.00","currency":"EUR","iban":"NL00BANK0123456789"}`
	vectorToken       = "F8A239CBF2C571BC4C83AC5B73A2E1A4411F1D547B598321899F2D252A9429F3"

	vectorJWS = "eyJhbGciOiJFUzI1NiIsInR5cCI6Im1hLWFuc3dlcitqd3QiLCJraWQiOiI0YjBjNmYwZS02ZjZiLTRhNTUtOWM0My0wZDZhNWExZjdlMjEifQ.eyJhdWQiOiJodHRwczovL3Rva2VuLmV4YW1wbGUuY29tL29hdXRoIiwiaWF0IjoxNzY3MjI1NjAwLCJqdGkiOiJlMmMxZjZhNC03N2QwLTRhMmUtOWMxYi01ZjdkM2E5YjhjNjAiLCJ0cmFuc2FjdGlvbl9pZCI6IjlkMmY0YzFhLTNiN2UtNGYwZC04YTU2LTFjMmUzZjRhNWI2YyIsInVzZXIiOiJRVzRSVFkiLCJyZXNwb25zZSI6ImFjY2VwdCIsIm1ldGhvZCI6InB1c2hfd2l0aF9waW4iLCJjaGFsbGVuZ2UiOiJlSTVHZVB4TVlyVWRQS0dmcWpvb210VzBOZEQtYzVYUkxNMDZvSUNmT2dRIiwicmVmcmVzaF90b2tlbiI6IkY4QTIzOUNCRjJDNTcxQkM0QzgzQUM1QjczQTJFMUE0NDExRjFENTQ3QjU5ODMyMTg5OUYyRDI1MkE5NDI5RjMifQ.CwwhfanCq9EGNd53ionMnxlqicsLKw6EN1CO7XIOiRlVKzDjg_0tpWa9Q-4N5B3Ao0E3nfAwhl147iu4f7-4SQ"
	vectorJWE = "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSIsImtpZCI6InNydi1lbmMtMSIsImN0eSI6IkpXVCIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6IkN3SG5oNXRRY2tDLWNOWE5BYW9KalBJYUEwYl9RX2hlSUUtUWc2LUJEU0EiLCJ5IjoicWF0NWM5dWJLdl9qX0ZvUnN2bjJSdGtqUEI0Wndpc3ZOdVZTdTlsQnJ4MCJ9fQ..AAECAwQFBgcICQoL.umZtu8CIfsM_ON9a-gYqqQkcFgb1AIKD-no89m6OGslrq7AH0jcZggwGL6ltTOhFKZdfXUXhBuVgCOhVv8bjRCrOL0qm9LRfTgG_HQYFMSIJHiNSWSBFLTqN59ECSNPCMxbhokaD2UJ5DGUIxUQdns7wk4z3z9OcKgi8V-rMlA_ET3TLDShEUmTgXoelOwMSs8z9BKGejljjSjSTX8GH93tQbMp9c9TzOHGojajcOiNHBZ3wj4MMHO4iPIz3MjJ2pX5qW4z15KBxp6xXxftjXsqO5gDxxVUginhmnqVA1tsLlH6salBzZooWZ27955YMmzSbzAgilmDMU27ZJYD8vWrY-pCNvcDIRIDl15-MVnKHAPQzlrxfXCo1cDADQIz_LADtIcIZC0gKviPULjA2JKkRYRG4IdRDIdaDPV3keace4A6bGvK5aiTqBbpXRDMA-YWSTiCd9Ks0WPOmcTpSW9-srmgg5BP3gmn66tzvRMRzNZrPb3XV0P9EEKqHr0_ezI-nOHi6ZBGI1z3kAPh9s93FgSiiHaUWQhuB6xXFh5D9ysYXDMBxGPQe5pzKP1ZCyL5D7bvby6eqTkWDojJJ8DxThO-YWHpxp7bZcdCavJ9xFneshI0iaEAjRwL83sDQSMb3cGPYlZFriseX9Z9_WvjHyG0dvU8t8R3XvDLKglmYzESU2Ji5299AiqkI-dcOLChC8Bfs6hm7JmMhtAiVPgYeCj7nF4sBCq_d49bmVQiykeAf_8f8Wn14TCnFVgm43z3xkA90yyqxDazyEflVM5KtH6yPSufdf5qU3XtnmcQqqPC3A5clrd2K3MXzlUzdvs6r0lJ0JHISnOFWINlW6vpq6TxObf5vUvuXDnu3ogm2ZlfIiSAwtsvYib_Mj4AZFhhO6UvaKT4.e_qZsGC5ZyGk0fPzp9qqQw"
)

// vectorKey builds a private key of the document.
func vectorKey(t *testing.T, x, y, d string) *phone.Key {
	t.Helper()
	var key phone.Key
	if err := json.Unmarshal([]byte(`{"kty":"EC","crv":"P-256","x":"`+x+`","y":"`+y+`","d":"`+d+`"}`), &key); err != nil {
		t.Fatal(err)
	}
	return &key
}

func TestOCRAVectors(t *testing.T) {
	want := []string{"237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470"}
	for i, response := range want {
		question := strings.Repeat(string(rune('0'+i)), 8)
		got, err := phone.OCRA("OCRA-1:HOTP-SHA1-6:QN08", []byte("12345678901234567890"), question, time.Time{})
		if err != nil || got != response {
			t.Errorf("question %s: got %s, %v; want %s", question, got, err, response)
		}
	}
	key := phone.SignatureKey("3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63")
	if got := hex.EncodeToString(key); got != "d417e6fe01a8b22877a7edcd974747c54f0d13a7db476290a07de4909fe67388" {
		t.Errorf("K = %s", got)
	}
	got, err := phone.OCRA(phone.RegistrationSuite, key, "9d1e4b7c02f85a6633c1e0d9a4472b8f50bc6ad21977e3450fa8c2b6e49d1037", time.Unix(1795183200, 0))
	if want := "de71e43f006e252ab0d865c42e57a163ce3c81bb6e0990d565c01360d3d423e0"; err != nil || got != want {
		t.Errorf("registration response = %s, %v; want %s", got, err, want)
	}
	bound := phone.BoundSecret(key, "5A1C9E77D20B4F8836E1A94C0D7B62F3C4185E9A7F20D3B16C8847E50FA9B21D")
	if want := "GZRMLPs_mFjn0-9nK_Lbjz3UIQIgt6Evm2STKQ6jI4U"; bound != want {
		t.Errorf("bound secret = %s; want %s", bound, want)
	}
}

func TestOCRARefuses(t *testing.T) {
	for _, tc := range []struct{ name, suite, question string }{
		{"unknown hash", "OCRA-1:HOTP-MD5-6:QN08", "1"},
		{"counter", "OCRA-1:HOTP-SHA256-8:C-QN08", "1"},
		{"zero step", "OCRA-1:HOTP-SHA256-0:QH64-T0M", "00"},
		{"not decimal", "OCRA-1:HOTP-SHA1-6:QN08", "12x"},
		{"not hexadecimal", phone.RegistrationSuite, "zz"},
		{"too long", phone.RegistrationSuite, strings.Repeat("00", 129)},
	} {
		if got, err := phone.OCRA(tc.suite, []byte("k"), tc.question, time.Unix(0, 0)); err == nil {
			t.Errorf("%s: got %s, want an error", tc.name, got)
		}
	}
}

func TestSignatureKeyNormalises(t *testing.T) {
	same := phone.SignatureKey("ab01cd")
	for _, text := range []string{"AB01CD", "AB:01:CD", " ab01cd\n"} {
		if !bytes.Equal(phone.SignatureKey(text), same) {
			t.Errorf("%q gives another key", text)
		}
	}
	if bytes.Equal(phone.SignatureKey("Q7X2M9K4TB.example.bank"), phone.SignatureKey("q7x2m9k4tb.example.bank")) {
		t.Error("a text that is not hexadecimal must keep its case")
	}
}

func TestPINMaskVector(t *testing.T) {
	hardware, _ := hex.DecodeString("3c42c69df62c80999e6919e1770d63b3a551d9291cd7ee240671cdf96ec07733")
	masked := phone.Masked{
		Salt:  "e0f2a9791470bcf78eb2fb6c8098471e",
		Value: "bba43088ec849e288faf9a980a7b606534d1d3ee7c8c9bf7f77215d2cf3ad3dc",
	}
	for pin, want := range map[string]string{
		"48213": vectorToken,
		"48214": "7C1D88909E4D313D85023515EAC6C01280E4D0BAE9929F1530B4F6446968D467",
	} {
		if got, err := masked.Unmask(pin, hardware); err != nil || got != want {
			t.Errorf("unmask with %s = %s, %v; want %s", pin, got, err, want)
		}
	}
	first, err := phone.MaskToken(vectorToken, "48213", hardware)
	if err != nil {
		t.Fatal(err)
	}
	second, err := phone.MaskToken(vectorToken, "48213", hardware)
	if err != nil {
		t.Fatal(err)
	}
	if first.Salt == second.Salt || first.Value == second.Value {
		t.Error("one token masked twice must differ in salt and value")
	}
	if got, err := first.Unmask("48213", hardware); err != nil || got != vectorToken {
		t.Errorf("round trip = %s, %v", got, err)
	}
	if _, err := phone.MaskToken("AB", "48213", hardware); err == nil {
		t.Error("a short token must be refused")
	}
}

func TestAnswerVector(t *testing.T) {
	device := vectorKey(t, deviceX, deviceY, deviceD)
	signed, err := phone.Decrypt(vectorKey(t, serverX, serverY, serverD), vectorJWE)
	if err != nil || signed != vectorJWS {
		t.Fatalf("decrypted %q, %v", signed, err)
	}
	token, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation()).Parse(signed,
		func(*jwt.Token) (any, error) { return &device.Private().PublicKey, nil })
	if err != nil {
		t.Fatal(err)
	}
	if token.Header["typ"] != phone.TypeAnswer || token.Claims.(jwt.MapClaims)["refresh_token"] != vectorToken {
		t.Errorf("header %v, claims %v", token.Header, token.Claims)
	}
}

func TestAnswerContentKeyVector(t *testing.T) {
	server := vectorKey(t, serverX, serverY, serverD)
	parts := strings.Split(vectorJWE, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	var epk struct {
		EPK jose.JSONWebKey `json:"epk"`
	}
	if err := json.Unmarshal(header, &epk); err != nil {
		t.Fatal(err)
	}
	own, err := server.Private().ECDH()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := epk.EPK.Key.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	z, err := own.ECDH(peer)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(z); got != "f6312c1bfe3541382ac3c049e4627e9eb9bdaaed4a0bc7e281eb308cbd36713c" {
		t.Errorf("Z = %s", got)
	}
	// Concat KDF (RFC 7518 §4.6.2): one round of SHA-256 over counter, Z, AlgorithmID, empty PartyU and PartyV, key length.
	input := append([]byte{0, 0, 0, 1}, z...)
	input = append(input, 0, 0, 0, 7)
	input = append(input, "A256GCM"...)
	input = append(input, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)
	key := sha256.Sum256(input)
	if got := hex.EncodeToString(key[:]); got != "8d23cc3ce0528864f1d8f4a085a06977ba3fcdd93bafd88dc2c985c1be67945b" {
		t.Errorf("content key = %s", got)
	}
}

func TestEncryptIsReadableByTheServer(t *testing.T) {
	server := vectorKey(t, serverX, serverY, serverD)
	to := server.JWK("enc")
	to.KeyID = "srv-enc-1"
	text, err := phone.Encrypt(to, vectorJWS)
	if err != nil {
		t.Fatal(err)
	}
	header, _ := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[0])
	var fields map[string]any
	if err := json.Unmarshal(header, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["alg"] != "ECDH-ES" || fields["enc"] != "A256GCM" || fields["kid"] != "srv-enc-1" || fields["cty"] != "JWT" {
		t.Errorf("header %s", header)
	}
	if got, err := phone.Decrypt(server, text); err != nil || got != vectorJWS {
		t.Errorf("decrypted %q, %v", got, err)
	}
	if _, err := phone.Decrypt(vectorKey(t, deviceX, deviceY, deviceD), text); err == nil {
		t.Error("another key must not open it")
	}
}

func TestTransactionSignatureVector(t *testing.T) {
	device := vectorKey(t, deviceX, deviceY, deviceD)
	data := phone.SignedData(vectorTransaction, vectorSigningData)
	digest := sha256.Sum256(data)
	if len(data) != 119 || hex.EncodeToString(digest[:]) != "aa051fd569e443822b9d22ea7fcaddceae8e28155822856d936f052aaecefeed" {
		t.Fatalf("signed data has %d bytes, digest %x", len(data), digest)
	}
	block, _ := pem.Decode([]byte(`-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4Zz83L+uUp5K/Zmxb6OcYnHsyJjN
cGRA3OkcF5Huqg5dPQ3Ec0ZsE36NbnIhUrkCWV7Jd8nfC4fK0hdpsY16Yw==
-----END PUBLIC KEY-----`))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := public.(*ecdsa.PublicKey)
	if !key.Equal(&device.Private().PublicKey) {
		t.Fatal("the PEM is not the device key")
	}
	published, _ := base64.StdEncoding.DecodeString("MEUCIQCexvi7DUxg5301f5s1cbdPYvoJZt5ZUGsNqS21sOmo2gIgYwLiVj/JVTSsAtPQdu7WBt1xN2b4S/2mr0jCmR22od8=")
	own, err := phone.SignTransaction(device, strings.ToUpper(vectorTransaction), vectorSigningData)
	if err != nil {
		t.Fatal(err)
	}
	ownBytes, err := base64.StdEncoding.DecodeString(own)
	if err != nil {
		t.Fatal(err)
	}
	raw := sha256.Sum256([]byte(vectorSigningData))
	for name, signature := range map[string][]byte{"published": published, "own": ownBytes} {
		if !ecdsa.VerifyASN1(key, digest[:], signature) {
			t.Errorf("%s signature does not verify", name)
		}
		if ecdsa.VerifyASN1(key, raw[:], signature) {
			t.Errorf("%s signature verifies over the raw signing data", name)
		}
	}
}

func TestOTPVector(t *testing.T) {
	otp, err := phone.ParseOTP("eyJ0cmFuc2FjdGlvbl9pZCI6IjBmN2U2ZDVjLTRiM2EtNDI5MS04ODA3LWY2ZTVkNGMzYjJhMSIsIm90cCI6ImE1ZTZFQXJ4ell3YWstM3BXd2lYNlZ6XzVudUNfTVFxQm9xWUpTeXQzVkkifQ==")
	if err != nil {
		t.Fatal(err)
	}
	if otp.TransactionID != "0f7e6d5c-4b3a-4291-8807-f6e5d4c3b2a1" || otp.Code != "a5e6EArxzYwak-3pWwiX6Vz_5nuC_MQqBoqYJSyt3VI" {
		t.Errorf("got %+v", otp)
	}
	for _, bad := range []string{"", "!", "e30=", base64.StdEncoding.EncodeToString([]byte(`{"otp":"x"}`))} {
		if e := phone.Refused(second(phone.ParseOTP(bad))); e == nil || e.SDKNumber != phone.NumberNotHandleable {
			t.Errorf("%q: %v", bad, e)
		}
	}
}

// second is the error of a pair.
func second[T any](_ T, err error) error { return err }

func TestKeyRefusesOtherCurves(t *testing.T) {
	wide := elliptic.P384().Params()
	x := base64.RawURLEncoding.EncodeToString(new(big.Int).Set(wide.Gx).Bytes())
	y := base64.RawURLEncoding.EncodeToString(new(big.Int).Set(wide.Gy).Bytes())
	one := base64.RawURLEncoding.EncodeToString(append(make([]byte, 47), 1))
	var key phone.Key
	if err := json.Unmarshal([]byte(`{"kty":"EC","crv":"P-384","x":"`+x+`","y":"`+y+`","d":"`+one+`"}`), &key); err == nil {
		t.Error("a P-384 key must be refused")
	}
	if err := json.Unmarshal([]byte(`{"kty":"EC","crv":"P-256","x":"`+deviceX+`","y":"`+deviceY+`"}`), &key); err == nil {
		t.Error("a public key must be refused")
	}
}
