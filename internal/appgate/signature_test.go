package appgate_test

import (
	"encoding/hex"
	"testing"

	"tokenserver/internal/appgate"
)

const (
	signature    = "3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63"
	signatureKey = "d417e6fe01a8b22877a7edcd974747c54f0d13a7db476290a07de4909fe67388"
)

func TestKeyOfSignature(t *testing.T) {
	for _, same := range []string{
		signature, "3f7a0c5519e2d84b6a9137c0fe2d5b88a4c6e1907b3d2f5544cc01aae87f9b63", "  " + signature + "\n",
		"3F:7A:0C:55:19:E2:D8:4B:6A:91:37:C0:FE:2D:5B:88:A4:C6:E1:90:7B:3D:2F:55:44:CC:01:AA:E8:7F:9B:63",
	} {
		if got := hex.EncodeToString(appgate.KeyOfSignature(same)); got != signatureKey {
			t.Errorf("%q: K = %s, want %s", same, got, signatureKey)
		}
	}
	if hex.EncodeToString(appgate.KeyOfSignature("Q7X2M9K4TB.example.bank.mobile")) ==
		hex.EncodeToString(appgate.KeyOfSignature("q7x2m9k4tb.example.bank.mobile")) {
		t.Error("an App ID is compared byte for byte")
	}
}

func TestBoundSecret(t *testing.T) {
	const secret, want = "5A1C9E77D20B4F8836E1A94C0D7B62F3C4185E9A7F20D3B16C8847E50FA9B21D", "GZRMLPs_mFjn0-9nK_Lbjz3UIQIgt6Evm2STKQ6jI4U"
	if got := appgate.BoundSecret(appgate.KeyOfSignature(signature), secret); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSignatureMatches(t *testing.T) {
	configured := []string{"first", "arm | " + signature + "|", ""}
	for presented, want := range map[string]int{"first": 0, "arm": 1, " arm ": 1, signature: 1, "": -1, "arm|" + signature: -1, "second": -1} {
		entry, ok := appgate.SignatureMatches(configured, presented)
		if !ok {
			entry = -1
		}
		if entry != want {
			t.Errorf("%q matches entry %d, want %d", presented, entry, want)
		}
	}
	if keys := appgate.SignatureKeys(configured); len(keys) != 3 || keys[2].Entry != 1 {
		t.Errorf("keys %+v, want three, the last of entry 1", keys)
	}
}
