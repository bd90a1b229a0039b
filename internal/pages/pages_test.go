package pages_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/audittest"
	"tokenserver/internal/pages"
)

var placeholder = regexp.MustCompile(`%[sd]`)

// TestLanguagesSayTheSame: every text is there in every language, with the same placeholders.
func TestLanguagesSayTheSame(t *testing.T) {
	read := func(language string) map[string]string {
		t.Helper()
		content, err := os.ReadFile("texts/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(content, &texts); err != nil {
			t.Fatalf("%s: %v", language, err)
		}
		return texts
	}
	english := read(pages.English)
	for _, language := range pages.Languages() {
		texts := read(language)
		if len(texts) != len(english) {
			t.Errorf("%s has %d texts, English %d", language, len(texts), len(english))
		}
		for key, text := range english {
			if texts[key] == "" {
				t.Errorf("%s: no %s", language, key)
			}
			if want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(texts[key], -1); !slices.Equal(want, got) {
				t.Errorf("%s: %s has placeholders %v, English %v", language, key, got, want)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, tc := range []struct{ language, locales, accept, want string }{
		{"", "", "", "en"},
		{"nl", "", "", "nl"},
		{"nl_BE", "", "de", "nl"},
		{"de_DE_POSIX", "", "", "de"},
		{"FR", "", "", "fr"},
		{"it", "fr-CA nl", "de", "fr"},
		{"it", "it es", "de", "de"},
		{"nl'><", "", "de", "de"},
		{"", "", "it, de;q=0.5, nl;q=0.8", "nl"},
		{"", "", "fr;q=0, de;q=0.1", "de"},
		{"", "", "fr;q=NaN, fr;q=2, fr;q=-1, fr;q=x, nl;q=0.001", "nl"},
		{"", "", "*", "en"},
		{"", "", "de-CH-1996;q=0.9,en;q=0.8", "de"},
		{"nld", "", "", "en"},
	} {
		if got := pages.Language(tc.language, tc.locales, tc.accept); got != tc.want {
			t.Errorf("%q %q %q: %s, want %s", tc.language, tc.locales, tc.accept, got, tc.want)
		}
	}
}

func FuzzLanguage(f *testing.F) {
	f.Add("nl_BE", "fr de-CH", "de;q=0.5, *;q=0.1")
	f.Add("", "", "en;q=1e400,,;=,nl;q")
	f.Fuzz(func(t *testing.T, language, locales, accept string) {
		if got := pages.Language(language, locales, accept); !slices.Contains(pages.Languages(), got) {
			t.Errorf("%q", got)
		}
	})
}

func TestOrigin(t *testing.T) {
	for redirect, want := range map[string]string{
		"https://client.example/back?x=1": "https://client.example", "http://127.0.0.1:80/back": "http://127.0.0.1:80",
		"myapp://back": "myapp:", "com.example.app:/back": "com.example.app:", "": "", "/back": "", "https://a;b/": "", "https://a b/": "",
	} {
		if got := pages.Origin(redirect); got != want {
			t.Errorf("%q: %q, want %q", redirect, got, want)
		}
	}
}

// TestAssets: style and script are served under names that change with them, so they may be kept for ever.
func TestAssets(t *testing.T) {
	p, err := pages.New("https://ts.example/oauth")
	if err != nil {
		t.Fatal(err)
	}
	e := audittest.New(t)
	h := e.Handler(p.Routes, func(g *echo.Group) {
		g.GET("/error", func(c echo.Context) error {
			return p.Error(c, http.StatusBadRequest, pages.Error{Language: "xx", Code: "invalid_request", Text: "error.request"})
		})
		g.GET("/post", func(c echo.Context) error {
			return p.Post(c, http.StatusOK, pages.Post{Language: "en", Target: "https://client.example/"})
		})
	})
	page := audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: "/oauth/error"})
	if page.Status != http.StatusBadRequest || page.Header.Get("Content-Language") != "en" {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	page.Body += audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: "/oauth/post"}).Body
	assets := regexp.MustCompile(`(?:href|src)="(/oauth/pages/[^"]*)"`).FindAllStringSubmatch(page.Body, -1)
	kinds := map[string]bool{}
	for _, m := range assets {
		a := audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: m[1]})
		kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
		kinds[kind] = true
		if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", m[1], a.Status, a.Header)
		}
	}
	if !kinds["text/css"] || !kinds["text/javascript"] || !kinds["image/svg+xml"] {
		t.Errorf("kinds %v", kinds)
	}
	if a := audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: "/oauth/pages/page.css"}); a.Status != http.StatusNotFound {
		t.Errorf("without hash: %d", a.Status)
	}
}
