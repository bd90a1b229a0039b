package settings

import (
	"fmt"
	"slices"
)

// templateSets checks that clients choose among the template sets that the process has.
func (c *checker) templateSets() {
	if c.rules.TemplateSets == nil {
		return
	}
	known := func(path, set string) {
		if set != "" && !slices.Contains(c.rules.TemplateSets, set) {
			c.add(path, "%q is no folder of pages.template_sets", clip(set))
		}
	}
	known("oauth.template_set", c.d.OAuth.TemplateSet)
	for i := range c.d.Applications {
		known(fmt.Sprintf("applications[%d].template_set", i), c.d.Applications[i].TemplateSet)
	}
	for i := range c.d.WebClients {
		known(fmt.Sprintf("web_clients[%d].template_set", i), c.d.WebClients[i].TemplateSet)
	}
}
