package oauth

import (
	"encoding/json"
	"strings"

	"tokenserver/internal/token"
)

// tokenAnswer encodes the success body of the token endpoint (RFC 6749 §5.1): access_token, token_type, expires_in,
// refresh_token, finger_print_refresh_token, id_token, scope, profile_id. By hand, because it is the hottest answer of the server.
func tokenAnswer(i token.Issued) []byte {
	b := make([]byte, 0, 192+len(i.AccessToken)+len(i.RefreshToken)+len(i.IDToken))
	b = append(b, `{"access_token":`...)
	b = appendText(b, i.AccessToken)
	b = append(b, `,"token_type":"bearer","expires_in":`...)
	b = appendInt(b, int64(i.ExpiresIn))
	if i.RefreshToken != "" {
		b = append(b, `,"refresh_token":`...)
		b = appendText(b, i.RefreshToken)
	}
	if i.FingerprintToken != "" {
		b = append(b, `,"finger_print_refresh_token":`...)
		b = appendText(b, i.FingerprintToken)
	}
	if i.IDToken != "" {
		b = append(b, `,"id_token":`...)
		b = appendText(b, i.IDToken)
	}
	b = append(b, `,"scope":`...)
	b = appendText(b, strings.Join(i.Scopes, " "))
	if i.ProfileID != "" {
		b = append(b, `,"profile_id":`...)
		b = appendText(b, i.ProfileID)
	}
	return append(b, '}')
}

// appendQuoted is appendText for texts that need escapes.
func appendQuoted(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // cannot happen: a string always encodes
		text = []byte(`""`)
	}
	return append(b, text...)
}
