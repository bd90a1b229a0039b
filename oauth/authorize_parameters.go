package oauth

import (
	"encoding/json"
	"errors"
	"strings"

	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
)

// The families of custom parameters: <family>.<key>, each key with one or more values.
const (
	providerFamily = "external_idp_custom_param"
	hookFamily     = "hook_context_custom_param"
)

// The limits of a family and of further parameters; lengths in bytes.
const (
	maxCustomKeys   = 20
	maxCustomKey    = 64
	maxCustomValues = 10
	maxCustomValue  = 512
	maxExternalIDP  = 255
	maxClaims       = 4 << 10
	maxACRValues    = 1 << 10
	maxACRs         = 10
)

// checkCustom is step 5 too: the custom parameters and external_idp, which are kept with the transaction.
func (r *authorizeRequest) checkCustom() error {
	for _, family := range []struct {
		name string
		into *map[string][]string
	}{{providerFamily, &r.providerParams}, {hookFamily, &r.hookParams}} {
		values, reason := r.family(family.name)
		if reason != "" {
			return badParameter(family.name, reason)
		}
		*family.into = values
	}
	if idp := r.get("external_idp"); len(idp) > maxExternalIDP || !visible(idp) {
		return badParameter("external_idp", "malformed")
	}
	return nil
}

// family collects the parameters <name>.<key>. reason says what is wrong with them.
func (r *authorizeRequest) family(name string) (values map[string][]string, reason string) {
	for parameter, list := range r.values {
		key, ours := strings.CutPrefix(parameter, name+".")
		if !ours {
			continue
		}
		if len(key) > maxCustomKey || !customKey(key) {
			return nil, "malformed key"
		}
		if len(list) > maxCustomValues {
			return nil, "too many values"
		}
		for _, value := range list {
			if len(value) > maxCustomValue {
				return nil, "value too long"
			}
		}
		if values == nil {
			values = map[string][]string{}
		}
		values[key] = list
		if len(values) > maxCustomKeys {
			return nil, "too many keys"
		}
	}
	return values, ""
}

// customKey tells whether a key consists of letters, digits, underscores, dots and dashes.
func customKey(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// checkClaims is step 9 too: of the parameter "claims" (OpenID Connect Core §5.5) the server understands an essential acr.
func (r *authorizeRequest) checkClaims() error {
	text := r.get("claims")
	if text == "" {
		return nil
	}
	var err error
	if len(text) > maxClaims {
		err = errors.New("too long")
	} else {
		r.essentialACR, err = essentialACR(text)
	}
	if err != nil {
		return badParameter("claims", "malformed").Because(err)
	}
	return nil
}

// essentialACR returns the values of which one must become the claim acr; nil when acr is not essential, or any will do.
func essentialACR(text string) ([]string, error) {
	parts, err := strictjson.Object([]byte(text))
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, part := range []string{"id_token", "userinfo"} {
		raw, given := parts[part]
		if !given || string(raw) == "null" {
			continue
		}
		claims, err := strictjson.Object(raw)
		if err != nil {
			return nil, err
		}
		var acr *struct {
			Essential bool     `json:"essential"`
			Value     string   `json:"value"`
			Values    []string `json:"values"`
		}
		if raw, given := claims["acr"]; given {
			if err := json.Unmarshal(raw, &acr); err != nil {
				return nil, err
			}
		}
		if acr == nil || !acr.Essential {
			continue
		}
		if acr.Value != "" {
			acr.Values = append(acr.Values, acr.Value)
		}
		if len(acr.Values) > maxACRs {
			return nil, errors.New("too many values of acr")
		}
		wanted = append(wanted, acr.Values...)
	}
	return wanted, nil
}

// checkACR is step 9 too: acr_values. A SAML provider is asked for one context, in the form of the product; other
// providers get what was sent.
func (r *authorizeRequest) checkACR() error {
	values := r.get("acr_values")
	list := strings.Fields(values)
	var reason string
	switch {
	case len(values) > maxACRValues || len(list) > maxACRs:
		reason = "too long"
	case !visible(values):
		reason = "malformed"
	case r.provider == nil || r.provider.Type != settings.SAMLProvider || len(list) == 0:
		return nil
	case len(list) > 1:
		reason = "more than one"
	default:
		if _, known := productACR(list[0]); !known {
			reason = "unknown"
		}
	}
	if reason == "" {
		return nil
	}
	return badParameter("acr_values", reason)
}
