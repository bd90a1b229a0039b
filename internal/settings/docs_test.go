package settings_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

func TestThePageNamesEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	document := reflect.TypeFor[settings.Document]()
	for i := range document.NumField() {
		list, _, _ := strings.Cut(document.Field(i).Tag.Get("yaml"), ",")
		_, section, found := strings.Cut(page, "\n## `"+list+"`\n")
		if !found {
			t.Errorf("%s has no section", list)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		var check func(of reflect.Type)
		check = func(of reflect.Type) {
			for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			if of.Kind() != reflect.Struct || of == reflect.TypeFor[settings.Secret]() || of == reflect.TypeFor[settings.ClientSecret]() {
				return
			}
			for i := range of.NumField() {
				name, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
				if !strings.Contains(section, "`"+name+"`") {
					t.Errorf("%s: %s is not described", list, name)
				}
				check(of.Field(i).Type)
			}
		}
		check(document.Field(i).Type)
	}

	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	d, err := settings.Parse([]byte(example), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil || len(d.Applications) != 1 {
		t.Errorf("the example: %v", err)
	}
}

// Every example of the guide can be applied as it stands.
func TestTheGuidesExamplesAreValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/openid.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(text), "```yaml\n")[1:]
	if len(examples) == 0 {
		t.Fatal("there are no examples")
	}
	for i, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		d, err := settings.Parse([]byte(example), "")
		if err == nil {
			err = d.Validate()
		}
		if err != nil {
			t.Errorf("example %d: %v", i+1, err)
		}
	}
}
