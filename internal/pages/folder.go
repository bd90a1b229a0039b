package pages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The largest files of a template set, in bytes.
const (
	maxText = 256 << 10
	maxLogo = 512 << 10
)

// setName is how a template set, and its folder, may be called.
var setName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// readSets reads a folder of template sets: one folder for each, which holds
//
//	templates/<page>.html   in place of a page, of layout or of client
//	texts/<language>.json   in place of some texts
//	page.css                after the built-in style
//	logo.svg                or .png or .webp
//
// Names that begin with a dot are left alone. Whatever else there is, is an error.
func (p *Pages) readSets(folder string) error {
	root, err := os.OpenRoot(folder) // nothing outside is read, whatever links say
	if err != nil {
		return fmt.Errorf("template sets: %w", err)
	}
	defer root.Close()
	entries, err := visible(root.FS(), ".")
	if err != nil {
		return fmt.Errorf("template sets: %w", err)
	}
	var problems []error
	for _, name := range entries {
		at := filepath.Join(folder, name)
		info, err := fs.Stat(root.FS(), name)
		switch {
		case err != nil:
			problems = append(problems, err)
		case !info.IsDir():
			problems = append(problems, fmt.Errorf("%s: is no folder of a template set", at))
		case !setName.MatchString(name):
			problems = append(problems, fmt.Errorf("%s: the name of a template set has letters, digits, _ and - only", at))
		default:
			r := &reader{pages: p, files: root.FS(), folder: folder, overlay: &overlay{
				sources: map[string]source{}, texts: map[string]map[string]string{},
			}}
			if err := r.read(name); err != nil {
				problems = append(problems, err)
				continue
			}
			p.overlays[name] = r.overlay
		}
	}
	return joined(problems)
}

// SetNames returns the names of the template sets in a folder, as far as it can be read; empty, not nil, when there are
// none.
func SetNames(folder string) []string {
	names := []string{}
	if folder == "" {
		return names
	}
	found, err := visible(os.DirFS(folder), ".")
	if err != nil { // Open says so
		return names
	}
	return append(names, found...)
}

// visible returns the names in a folder that do not begin with a dot.
func visible(files fs.FS, folder string) ([]string, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// reader reads one template set.
type reader struct {
	pages    *Pages
	files    fs.FS
	folder   string // for errors
	overlay  *overlay
	problems []error
}

func (r *reader) fail(name string, err error) {
	r.problems = append(r.problems, fmt.Errorf("%s: %w", filepath.Join(r.folder, name), err))
}

func (r *reader) read(set string) error {
	r.each(set, func(name, base string) {
		switch {
		case base == "templates":
			r.each(name, r.template)
		case base == "texts":
			r.each(name, r.texts)
		case base == "page.css":
			r.style(name)
		case strings.TrimSuffix(base, path.Ext(base)) == "logo" && slices.Contains([]string{".svg", ".png", ".webp"}, path.Ext(base)):
			if content := r.content(name, maxLogo); content != nil {
				r.overlay.logo = r.pages.serve(base, content)
			}
		default:
			r.fail(name, errors.New("is no file of a template set: want templates, texts, page.css, logo.svg, logo.png or logo.webp"))
		}
	})
	if len(r.problems) > 0 {
		return joined(r.problems)
	}
	return r.pages.check(r.overlay)
}

// each calls f for what is in a folder of the set.
func (r *reader) each(folder string, f func(name, base string)) {
	names, err := visible(r.files, folder)
	if err != nil {
		r.problems = append(r.problems, err)
	}
	for _, base := range names {
		f(path.Join(folder, base), base)
	}
}

// content reads a file; nil after a problem.
func (r *reader) content(name string, most int64) []byte {
	info, err := fs.Stat(r.files, name)
	switch {
	case err != nil:
		r.fail(name, err)
	case !info.Mode().IsRegular():
		r.fail(name, errors.New("is no file"))
	case info.Size() > most:
		r.fail(name, fmt.Errorf("has %d bytes, %d are allowed", info.Size(), most))
	default:
		content, err := fs.ReadFile(r.files, name)
		if err == nil {
			return content
		}
		r.fail(name, err)
	}
	return nil
}

func (r *reader) template(name, base string) {
	page := strings.TrimSuffix(base, ".html")
	if !slices.Contains(Templates(), page) || page == base {
		r.fail(name, fmt.Errorf("is no page: want one of %s", strings.Join(Templates(), ".html, ")+".html"))
		return
	}
	content := r.content(name, maxText)
	at := filepath.Join(r.folder, name)
	if problem := refused(at, content, templateRules()); problem != nil {
		r.problems = append(r.problems, problem)
	}
	r.overlay.sources[page] = source{at, string(content)}
}

func (r *reader) texts(name, base string) {
	language := strings.TrimSuffix(base, ".json")
	if !slices.Contains(Languages(), language) || language == base {
		r.fail(name, fmt.Errorf("is no language of the pages: want one of %s", strings.Join(Languages(), ".json, ")+".json"))
		return
	}
	at := filepath.Join(r.folder, name)
	texts, err := readTexts(at, r.content(name, maxText))
	if err == nil {
		err = r.pages.builtIn.checkTexts(at, texts)
	}
	if err != nil {
		r.problems = append(r.problems, err)
		return
	}
	r.overlay.texts[language] = textMap(texts)
}

func (r *reader) style(name string) {
	content := r.content(name, maxText)
	if content == nil {
		return
	}
	if problem := refused(filepath.Join(r.folder, name), content, styleRules()); problem != nil {
		r.problems = append(r.problems, problem)
	}
	r.overlay.style = r.pages.serve(path.Base(name), content)
}
