package oidc

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"tokenserver/internal/web"
)

// The limits of what is kept about a person.
const (
	mostAttributes   = 200
	longestAttribute = 16 << 10 // bytes of JSON
	deepestAttribute = 8        // lists and objects inside each other
)

// Attributes turns members of profiles and ID tokens into what stores can hold: texts, booleans, numbers, lists and objects of
// them. Later sources win. Left out are null, texts that are none, what is larger than 16 KiB or too deep, and whatever
// comes, by name, after the two hundredth. An integer beyond 2^53 becomes a text, so that no digit of it is lost.
func Attributes(sources ...map[string]any) map[string]any {
	all := map[string]any{}
	for _, members := range sources {
		for name, value := range members {
			if kept, ok := plain(value, deepestAttribute); ok && web.IsText(name) && name != "" {
				all[name] = kept
			}
		}
	}
	names := make([]string, 0, len(all))
	for name, value := range all {
		if text, err := json.Marshal(value); err != nil || len(text) > longestAttribute {
			delete(all, name)
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for i := mostAttributes; i < len(names); i++ {
		delete(all, names[i])
	}
	return all
}

// plain is a decoded JSON value as encoding/json gives it without further options.
func plain(value any, depth int) (any, bool) {
	switch value := value.(type) {
	case string:
		return value, web.IsText(value)
	case bool:
		return value, true
	case json.Number:
		return number(value)
	case []any:
		if depth == 0 {
			return nil, false
		}
		list := make([]any, 0, len(value))
		for _, one := range value {
			if kept, ok := plain(one, depth-1); ok {
				list = append(list, kept)
			}
		}
		return list, true
	case map[string]any:
		if depth == 0 {
			return nil, false
		}
		members := make(map[string]any, len(value))
		for name, one := range value {
			if kept, ok := plain(one, depth-1); ok && web.IsText(name) {
				members[name] = kept
			}
		}
		return members, true
	}
	return nil, false
}

func number(n json.Number) (any, bool) {
	const exact = 1 << 53
	if whole, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		if whole > exact || whole < -exact {
			return n.String(), true
		}
		return float64(whole), true
	}
	f, err := n.Float64()
	return f, err == nil && !math.IsInf(f, 0)
}

// Named returns a member that names somebody: a text, or a whole number as it is written; else "".
func Named(members map[string]any, name string) string {
	switch value := members[name].(type) {
	case string:
		return value
	case json.Number:
		if _, err := strconv.ParseInt(value.String(), 10, 64); err == nil {
			return value.String()
		}
	}
	return ""
}
