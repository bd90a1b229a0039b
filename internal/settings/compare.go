package settings

import (
	"encoding/json"
	"fmt"
	"slices"

	"tokenserver/store"
)

// differences names the members in which two entities of one kind differ, in alphabetical order; none when they say
// the same. An absent member equals an empty one.
func differences(was, is any) ([]string, error) {
	before, err := members(was)
	if err != nil {
		return nil, err
	}
	after, err := members(is)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range before {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, known := before[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// members returns the JSON of each member that is not empty, secrets in clear: for comparing only.
func members(value any) (map[string]string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("compare settings: %w", err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("compare settings: %w", err)
	}
	flat := make(map[string]string, len(all))
	for name, v := range all {
		if v = prune(v); v == nil {
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("compare settings: %w", err)
		}
		flat[name] = string(text)
	}
	if h, ok := value.(holder); ok {
		for member, s := range h.secrets() {
			delete(flat, member)
			if !s.Empty() {
				flat[member] = s.Reveal()
			}
		}
	}
	if m, ok := value.(machine); ok {
		delete(flat, "client_secret")
		if digest := m.credentials().secret.Digest; len(digest) > 0 {
			flat["client_secret"] = string(digest)
		}
	}
	return flat, nil
}

// prune takes away what says nothing: null, and empty texts, lists and objects.
func prune(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = prune(v[i])
		}
	case map[string]any:
		for name := range v {
			if pruned := prune(v[name]); pruned == nil {
				delete(v, name)
			} else {
				v[name] = pruned
			}
		}
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

// ranks numbers the entities of each kind that others has too. An entity that others lacks does not move the rest.
func ranks(all []entity, others map[key]entity) map[key]int {
	next := map[Kind]int{}
	rank := map[key]int{}
	for _, e := range all {
		if _, common := others[e.key()]; common {
			rank[e.key()] = next[e.kind]
			next[e.kind]++
		}
	}
	return rank
}

func byKey(all []entity) map[key]entity {
	m := make(map[key]entity, len(all))
	for _, e := range all {
		m[e.key()] = e
	}
	return m
}

// edit is what a document does to the stored settings.
type edit struct {
	list   []Change
	put    []entity
	remove []store.Setting
}

// compare works out how to get from one complete document to another. Secrets are in clear, client secrets hashed.
func compare(was, is []entity) (edit, error) {
	var e edit
	before, after := byKey(was), byKey(is)
	rankBefore, rankAfter := ranks(was, after), ranks(is, before)
	for _, now := range is {
		then, known := before[now.key()]
		if !known {
			e.list = append(e.list, Change{Action: Created, Kind: now.kind, Name: now.name})
			e.put = append(e.put, now)
			continue
		}
		names, err := differences(then.value, now.value)
		if err != nil {
			return edit{}, err
		}
		if rankBefore[now.key()] != rankAfter[now.key()] {
			names = append(names, "position")
		}
		if len(names) > 0 {
			e.list = append(e.list, Change{Action: Updated, Kind: now.kind, Name: now.name, Members: names})
		}
		if len(names) > 0 || then.position != now.position {
			e.put = append(e.put, now)
		}
	}
	for _, then := range was {
		if _, stays := after[then.key()]; !stays {
			e.list = append(e.list, Change{Action: Removed, Kind: then.kind, Name: then.name})
			e.remove = append(e.remove, store.Setting{Kind: string(then.kind), Name: then.name})
		}
	}
	return e, nil
}
