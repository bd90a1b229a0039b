package phone_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tokenserver/phone"
)

// site is a small identity provider with sign-in page, consent page and the page that leads back into the app.
type site struct {
	t       *testing.T
	smsCode string // ask for it after the password
	expired int    // consent forms to refuse as too old
	direct  bool   // redirect into the app instead of showing the last page
}

const appLink = "myapp://login?code=c&amp;state=s"

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := func(format string, args ...any) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><html><head><style>p{}</style></head><body>"+format+"</body></html>", args...)
	}
	session, _ := r.Cookie("__Host-session")
	_ = r.ParseForm()
	switch {
	case r.URL.Path == "/authorize" && session != nil:
		http.Redirect(w, r, "/consent", http.StatusFound)
	case r.URL.Path == "/authorize":
		http.Redirect(w, r, "login?t=1", http.StatusFound)
	case r.URL.Path == "/login" && r.Method == http.MethodGet:
		page(`<form method="get" action="/search"><input name="q"></form><p>Sign in</p>
			<form method="post"><input type="hidden" name="csrf" value="a&quot;b"><input name="username" value=""><input type="password" name="password">
			<input type="checkbox" name="remember" value="1"><button type="submit" name="go" value="1">Sign in</button></form>`)
	case r.URL.Path == "/login":
		if r.PostForm.Encode() != "csrf=a%22b&password=secret&username=kim" || r.URL.Query().Get("t") != "1" {
			page(`<form method="post"><input name="username"><input type="password" name="password"></form><p>Wrong (%s)</p>`, r.PostForm.Get("username"))
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-session", Value: "1", Path: "/", Secure: true, HttpOnly: true})
		if s.smsCode != "" {
			http.Redirect(w, r, "/sms", http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, "/consent", http.StatusSeeOther)
	case r.URL.Path == "/sms" && r.Method == http.MethodGet:
		page(`<form method="post" action="/sms"><input name="code" autocomplete="one-time-code"></form>`)
	case r.URL.Path == "/sms":
		if r.PostForm.Get("code") != s.smsCode {
			http.Error(w, "wrong code", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, "/consent", http.StatusSeeOther)
	case r.URL.Path == "/consent" && r.Method == http.MethodGet:
		if session == nil {
			http.Error(w, "no session", http.StatusBadRequest)
			return
		}
		page(`<form method="post" action="/consent" id="f"><input type="hidden" name="csrf" value="x"></form>
			<button form="f" name="decision" value="accept">Allow</button><button form="f" name="decision" value="deny">Deny</button>`)
	case r.URL.Path == "/consent":
		if s.expired > 0 {
			s.expired--
			http.Redirect(w, r, "/consent", http.StatusSeeOther)
			return
		}
		if r.PostForm.Encode() == "csrf=x&decision=deny" {
			http.Redirect(w, r, "myapp://login?error=access_denied&state=s", http.StatusFound)
			return
		}
		if r.PostForm.Encode() != "csrf=x&decision=accept" {
			s.t.Errorf("consent form %s", r.PostForm.Encode())
		}
		if s.direct {
			http.Redirect(w, r, "myapp://login?code=c&state=s", http.StatusFound)
			return
		}
		http.Redirect(w, r, "/post", http.StatusSeeOther)
	case r.URL.Path == "/post" && r.Method == http.MethodGet: // a page that a script would post onwards
		page(`<noscript><form method="post" action="/post"><input type="hidden" name="token" value="1"><input type="submit" value="Continue"></form></noscript>`)
	case r.URL.Path == "/post":
		page(`<h1>You may close this page</h1><a id="continue" href="%s">Back to the app</a>`, appLink)
	case r.URL.Path == "/loop":
		http.Redirect(w, r, "/loop", http.StatusFound)
	case r.URL.Path == "/empty":
		page("<p>Nothing here</p>")
	default:
		http.Error(w, "<script>hidden</script><p>No such   page</p>", http.StatusNotFound)
	}
}

func TestPerson(t *testing.T) {
	code := func(context.Context) (string, error) { return "048215", nil }
	for _, tc := range []struct {
		name   string
		site   site
		person *phone.Person
		path   string
		want   string
		err    error
	}{
		{name: "accepts", person: &phone.Person{Username: "kim", Password: "secret", Consent: true}, want: "myapp://login?code=c&state=s"},
		{name: "is redirected", site: site{direct: true}, person: &phone.Person{Username: "kim", Password: "secret", Consent: true}, want: "myapp://login?code=c&state=s"},
		{name: "denies", person: &phone.Person{Username: "kim", Password: "secret"}, want: "myapp://login?error=access_denied&state=s"},
		{name: "consents again when the form was too old", site: site{expired: 1}, person: &phone.Person{Username: "kim", Password: "secret", Consent: true}, want: "myapp://login?code=c&state=s"},
		{name: "gives up when consent is asked for ever", site: site{expired: 9}, person: &phone.Person{Username: "kim", Password: "secret", Consent: true}, err: phone.ErrLost},
		{name: "mistypes the password", person: &phone.Person{Username: "kim", Password: "wrong", Consent: true}, err: phone.ErrSignInRefused},
		{name: "reads an SMS", site: site{smsCode: "048215"}, person: &phone.Person{Username: "kim", Password: "secret", Consent: true, SMSCode: code}, want: "myapp://login?code=c&state=s"},
		{name: "has no telephone", site: site{smsCode: "048215"}, person: &phone.Person{Username: "kim", Password: "secret", Consent: true}, err: phone.ErrLost},
		{name: "is sent in circles", path: "/loop", err: phone.ErrTooManyPages},
		{name: "finds nothing", path: "/empty", err: phone.ErrLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.site.t = t
			server := httptest.NewServer(&tc.site)
			t.Cleanup(server.Close)
			path := tc.path
			if path == "" {
				path = "/authorize?x=1"
			}
			person := tc.person
			if person == nil {
				person = &phone.Person{}
			}
			got, err := person.Open(t.Context(), server.URL+path, "myapp://login")
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %q, %v", got, err)
			}
			if tc.want == "" || !person.Consent {
				return
			}
			person.Password = "forgotten" // the session of the first visit is enough
			if again, err := person.Open(t.Context(), server.URL+path, "myapp://login"); err != nil || again != tc.want {
				t.Errorf("second visit: %q, %v", again, err)
			}
		})
	}
}

func TestPersonMeetsAnErrorPage(t *testing.T) {
	server := httptest.NewServer(&site{t: t})
	t.Cleanup(server.Close)
	_, err := (&phone.Person{}).Open(t.Context(), server.URL+"/missing?secret=1", "myapp://login")
	var page *phone.PageError
	if !errors.As(err, &page) || page.Status != http.StatusNotFound || page.Text != "<script>hidden</script><p>No such page</p>" && page.Text != "No such page" ||
		strings.Contains(page.Error(), "secret=1") {
		t.Errorf("%v", err)
	}
}

func TestParsePage(t *testing.T) {
	page, err := phone.ParsePage(strings.NewReader(`<title>T</title><form action="/a" method="POST"><input name="a" value="1"><textarea name="b">two</textarea>
		<input type="RADIO" name="c"><input value="nameless"></form><input name="outside"><form><select name="s"></select></form><script>x()</script>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []phone.Form{
		{Action: "/a", Method: "POST", Inputs: []phone.Input{{Name: "a", Type: "text", Value: "1"}, {Name: "b", Type: "text", Value: "two"}, {Name: "c", Type: "radio"}}},
		{Action: "", Method: "GET", Inputs: []phone.Input{{Name: "s", Type: "text"}}},
	}
	if fmt.Sprint(page.Forms) != fmt.Sprint(want) || page.Text != "T two" || page.Continue != "" {
		t.Errorf("got %+v", page)
	}
}

// FuzzParsePage: no page panics, and what is found is usable.
func FuzzParsePage(f *testing.F) {
	f.Add(`<form method="post"><input name="username"><input type="password" name="password"></form>`)
	f.Add(`<a id="continue" href="` + appLink + `">x</a>`)
	f.Add(`<form id=a></form><button form=a name=decision value=deny><form form=a>`)
	f.Add(`<table><form><tr><input name=x>`)
	f.Fuzz(func(t *testing.T, text string) {
		page, err := phone.ParsePage(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, form := range page.Forms {
			if form.Method != http.MethodGet && form.Method != http.MethodPost {
				t.Fatalf("method %q", form.Method)
			}
			for _, input := range form.Inputs {
				if input.Name == "" {
					t.Fatal("nameless input")
				}
			}
		}
	})
}
