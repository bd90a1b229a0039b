package saml

import (
	"maps"
	"slices"

	"tokenserver/store"
)

// parametersOf collects what a central identity manager is told beside the request: the client's own parameters, the
// language of the pages, and whether they show inside an app. Sorted by name.
func parametersOf(a store.Authorization) []parameter {
	var all []parameter
	add := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			all = append(all, parameter{name, values})
		}
	}
	add("app_view", a.AppView)
	add("language", a.Language)
	for _, name := range slices.Sorted(maps.Keys(a.ProviderParams)) {
		add("custom."+name, a.ProviderParams[name]...)
	}
	return all
}
