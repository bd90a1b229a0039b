package settings_test

import (
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

// TestTemplateSetsExist: a client names a template set that the process has read.
func TestTemplateSetsExist(t *testing.T) {
	d := settings.Document{
		OAuth:        settings.OAuth{TemplateSet: "harbour"},
		Applications: []settings.Application{{TemplateSet: "harbour"}, {TemplateSet: "nowhere"}},
		WebClients:   []settings.WebClient{{}, {TemplateSet: "harbor"}},
	}
	said := func(sets []string) string {
		err := settings.Rules{TemplateSets: sets}.Validate(d)
		if err == nil {
			t.Fatal("the document is otherwise incomplete, too")
		}
		return err.Error()
	}
	for _, tc := range []struct {
		name string
		sets []string
		want []string // paths that are refused
	}{
		{"known", []string{"harbour"}, []string{"applications[1]", "web_clients[1]"}},
		{"none", []string{}, []string{"oauth", "applications[0]", "applications[1]", "web_clients[1]"}},
		{"not asked", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := said(tc.sets)
			if got := strings.Count(text, "is no folder of pages.template_sets"); got != len(tc.want) {
				t.Errorf("%d complaints, want %d: %s", got, len(tc.want), text)
			}
			for _, path := range tc.want {
				if !strings.Contains(text, path+`.template_set: "`) {
					t.Errorf("no complaint about %s: %s", path, text)
				}
			}
		})
	}
}
