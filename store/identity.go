package store

import (
	"strconv"
	"time"
)

// Identity is what an identity provider says about the person who has signed in there.
type Identity struct {
	UserID     string
	Attributes Attributes
	Level      string // authentication level as the provider writes it; "" = it says none
	ACR        string
	AMR        []string
	AuthTime   time.Time // zero = now

	ProviderSession string // what the provider calls its session: SAML SessionIndex, OpenID Connect sid
	ProviderToken   string // the provider's ID token, for its logout
}

// Attributes are what is known about a person, by name: texts, booleans, numbers and lists, as JSON has them.
type Attributes map[string]any

// Text returns the first of the named attributes that has a value, as text; of a list the first element.
func (a Attributes) Text(names ...string) string {
	for _, name := range names {
		value := a[name]
		if list, isList := value.([]any); isList && len(list) > 0 {
			value = list[0]
		}
		switch v := value.(type) {
		case string:
			if v != "" {
				return v
			}
		case bool:
			return strconv.FormatBool(v)
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return ""
}
