package pushauth

import (
	"fmt"

	"tokenserver/internal/secret"
)

// The texts of a transaction that are sealed at rest.
const (
	secureMessageField = "secure_message"
	signingDataField   = "signing_data"
)

// sealText encrypts a text of a transaction, bound to the transaction and the field. An empty text stays empty.
func sealText(keys *secret.Keys, transactionID, field, clear string) string {
	if clear == "" {
		return ""
	}
	return string(keys.Seal([]byte(clear), sealedPlace(transactionID, field)))
}

// openText undoes sealText. Errors: secret.ErrUnsealed.
func openText(keys *secret.Keys, transactionID, field, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	clear, err := keys.Open([]byte(sealed), sealedPlace(transactionID, field))
	if err != nil {
		return "", fmt.Errorf("open %s: %w", field, err)
	}
	return string(clear), nil
}

func sealedPlace(transactionID, field string) string { return "tx/" + transactionID + "/" + field }
