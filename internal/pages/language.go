package pages

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// English is the language of whoever asks for none that we have.
const English = "en"

// Languages returns the languages of the pages.
func Languages() []string { return []string{English, "nl", "de", "fr"} }

// Language chooses the language of the pages: the parameter "language" (Java locale, ll_CC_variant) before ui_locales
// (OpenID Connect Core §3.1.2.1, BCP 47 tags with blanks between) before Accept-Language (RFC 9110 §12.5.4). What is
// malformed or not ours is ignored.
func Language(language, uiLocales, acceptLanguage string) string {
	for _, tags := range [][]string{{language}, strings.Fields(uiLocales), accepted(acceptLanguage)} {
		for _, tag := range tags {
			if l := ours(tag); l != "" {
				return l
			}
		}
	}
	return English
}

// ours returns the language of a locale or tag when there are pages in it, else "".
func ours(tag string) string {
	primary, rest, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	for _, subtag := range strings.Split(rest, "-") {
		if len(subtag) > 32 || !alphanumeric(subtag) {
			return ""
		}
	}
	primary = strings.ToLower(primary)
	if !slices.Contains(Languages(), primary) {
		return ""
	}
	return primary
}

// most is how many entries of an Accept-Language header are looked at.
const most = 32

// accepted returns the tags of an Accept-Language header, best first; those of quality 0 are left out.
func accepted(header string) []string {
	type entry struct {
		tag     string
		quality float64
	}
	var entries []entry
	for i, part := range strings.Split(header, ",") {
		if i == most {
			break
		}
		tag, parameters, _ := strings.Cut(part, ";")
		e := entry{strings.TrimSpace(tag), 1}
		if name, value, found := strings.Cut(strings.TrimSpace(parameters), "="); found && strings.EqualFold(strings.TrimSpace(name), "q") {
			quality, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(quality >= 0 && quality <= 1) { // refuses NaN too
				continue
			}
			e.quality = quality
		}
		if e.quality > 0 {
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(b.quality, a.quality) })
	tags := make([]string, len(entries))
	for i, e := range entries {
		tags[i] = e.tag
	}
	return tags
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
