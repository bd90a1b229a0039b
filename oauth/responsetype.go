package oauth

import (
	"slices"
	"strings"
)

// responseType is what an authorization request asks for, in the form that is kept: "" = a code.
type responseType string

// The response types. What the implicit grant makes is for old clients alone (RFC 9700 §2.1.2).
const (
	typeCode         responseType = ""
	typeToken        responseType = "token"
	typeIDToken      responseType = "id_token"
	typeIDTokenToken responseType = "id_token token"
)

// responseTypes reads the parameter response_type, in which the order of the words does not matter (OAuth 2.0 Multiple
// Response Types §5). The hybrid types are not known.
func responseTypes(parameter string) (responseType, bool) {
	words := strings.Split(parameter, " ")
	slices.Sort(words)
	sorted := strings.Join(words, " ")
	if sorted == "code" {
		return typeCode, true
	}
	t := responseType(sorted)
	if t != typeToken && t != typeIDToken && t != typeIDTokenToken {
		return typeCode, false
	}
	return t, true
}

// implicit tells whether the answer holds tokens.
func (t responseType) implicit() bool { return t != typeCode }

// token tells whether it holds an access token.
func (t responseType) token() bool { return t == typeToken || t == typeIDTokenToken }

// idToken tells whether it holds an ID token.
func (t responseType) idToken() bool { return t == typeIDToken || t == typeIDTokenToken }

// parameter is how the response type is written in a request.
func (t responseType) parameter() string {
	if t == typeCode {
		return "code"
	}
	return string(t)
}
