package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// party is a web application of another origin that uses the server: it frames the check session page, and it is told
// about logouts in a frame and through the back channel.
type party struct {
	*httptest.Server
	id string

	mu    sync.Mutex
	front []url.Values // queries of the logout frame
	back  []string     // logout tokens
}

// partyPage is every page of a party. ask posts a message to the provider's frame; answer is what came back.
const partyPage = `<!doctype html><html lang="en"><title>Party</title><h1>Party</h1><iframe id="op" src="%s/v1/checksession"></iframe>
<script>
var answer = '';
window.addEventListener('message', function (e) {
  if (e.source === document.getElementById('op').contentWindow && e.origin === '%s') { answer = e.data; }
});
function ask(message) { answer = ''; document.getElementById('op').contentWindow.postMessage(message, '%s'); }
</script>`

func newParty(t *testing.T, d *deployment, id string) *party {
	t.Helper()
	p := &party{id: id}
	provider, _ := url.Parse(d.base)
	origin := provider.Scheme + "://" + provider.Host
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, partyPage, d.base, origin, origin)
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /front", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.front = append(p.front, r.URL.Query())
	})
	mux.HandleFunc("POST /back", func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.back = append(p.back, r.PostFormValue("logout_token"))
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// told returns how often the party was told in frames and through the back channel.
func (p *party) told() (front, back int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.front), len(p.back)
}

// client is the party in the settings.
func (p *party) client(secret string, openID object) object {
	return object{
		"client_id": p.id, "name": "Party " + p.id, "client_secret": secret, "grant_types": []string{"AUTHORIZATION_CODE"},
		"redirect_urls": []string{p.URL + "/page"}, "default_scopes": []string{"openid"}, "refresh_token_enabled": true,
		"identity_provider": "accounts", "skip_consent": true, "open_id_connect": openID,
	}
}

// authorize is where the party sends the browser to sign in.
func (p *party) authorize(d *deployment) string {
	return d.base + "/v1/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {p.id}, "redirect_uri": {p.URL + "/page"}, "scope": {"openid"}, "state": {"s"},
	}.Encode()
}

// TestLogoutInTheBrowser walks through sign-out with the keyboard alone: question, yes, no, the frames that tell other
// origins, and the frame that other origins ask.
func TestLogoutInTheBrowser(t *testing.T) {
	chromium := findChromium(t)
	d := own(t, startEmbedded)
	one, two, stranger := newParty(t, d, "party-one"), newParty(t, d, "party-two"), newParty(t, d, "stranger")
	d.apply(t, func(document object) {
		document["web_clients"] = []object{
			one.client(d.world.secret, object{
				"post_logout_redirect_urls": []string{one.URL + "/page?out=1"}, "front_channel_logout_url": one.URL + "/front",
				"front_channel_logout_session_required": true, "back_channel_logout_url": one.URL + "/back", "delete_tokens_on_logout": true,
			}),
			two.client(d.world.secret, object{"front_channel_logout_url": two.URL + "/front?a=b"}),
		}
	})
	known := newActor(t, d)
	for deadline := time.Now().Add(spreadTime); known.send(request{path: strings.TrimPrefix(one.authorize(d), d.base)}).status != http.StatusFound; {
		if time.Now().After(deadline) {
			t.Fatal("the parties are not known")
		}
		time.Sleep(pollEvery)
	}
	for i, s := range []screen{{"phone", 390, 844, "en", false}, {"desktop", 1280, 800, "nl", false}, {"dark", 390, 844, "de", true}, {"french", 390, 844, "fr", false}} {
		t.Run(s.name, func(t *testing.T) {
			b := newTab(t, d, chromium, s)
			b.signOut(usernames[i], one, two, stranger)
			b.complaints()
		})
	}
}

// signIn signs a user in at a party, and returns what the party was answered.
func (b *tab) signIn(user string, p *party) url.Values {
	b.t.Helper()
	b.next()
	browse(b, chromedp.Navigate(p.authorize(b.d)))
	if user != "" {
		b.shows("#password")
		b.reach("#username")
		b.press(user + kb.Tab + b.d.world.password + kb.Enter)
	}
	b.shows("#op")
	u, err := url.Parse(browse(b, chromedp.Evaluate[string]("location.href")))
	if err != nil || !strings.HasPrefix(u.String(), p.URL+"/page?") || u.Query().Get("code") == "" || u.Query().Get("session_state") == "" {
		b.t.Fatalf("at %s, %v", u, err)
	}
	return u.Query()
}

// idToken redeems a code.
func (b *tab) idToken(p *party, code string) string {
	b.t.Helper()
	a := b.send(request{
		path: "/v1/token", basic: []string{p.id, b.d.world.secret},
		form: url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.URL + "/page"}},
	})
	var got struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil || got.IDToken == "" {
		b.t.Fatalf("%d %s", a.status, a.body)
	}
	return got.IDToken
}

// heard posts a message to the provider's frame on the party's page and returns the answer; "" = none within half a second.
func (b *tab) heard(message string) string {
	b.t.Helper()
	browse(b, chromedp.Evaluate[bool](fmt.Sprintf("ask(%q), true", message)))
	for range 20 {
		if answer := browse(b, chromedp.Evaluate[string]("answer")); answer != "" {
			return answer
		}
		time.Sleep(25 * time.Millisecond)
	}
	return ""
}

// signOut is the whole way.
func (b *tab) signOut(user string, one, two, stranger *party) {
	t := b.t
	first := b.signIn(user, one)
	b.idToken(one, first.Get("code"))
	second := b.signIn("", two)
	for message, want := range map[string]string{
		"party-two " + second.Get("session_state"): "unchanged",
		"party-one " + second.Get("session_state"): "changed",
		"party-two " + first.Get("session_state"):  "changed",
		"party-two":     "error",
		"party-two a.b": "changed",
		"party-two ab":  "error",
	} {
		if got := b.heard(message); got != want {
			t.Errorf("the frame says %q to %q, want %q", got, message, want)
		}
	}
	browse(b, chromedp.Navigate(stranger.URL+"/page"))
	b.shows("#op")
	if got := b.heard("party-two " + second.Get("session_state")); got != "" {
		t.Errorf("the frame says %q to a stranger", got)
	}

	asked := b.next()
	browse(b, chromedp.Navigate(b.d.base+"/v1/logout?client_id=party-two&ui_locales="+b.screen.language))
	b.shows("button.primary")
	b.picture("logout-confirm")
	b.d.log.want(t, "asked", asked, "OPENID_SESSION_LOGOUT_CONFIRM_PAGE_SHOWN")
	no := b.next()
	b.reach("a.secondary")
	b.press(kb.Enter)
	b.shows("header.ending")
	b.picture("logout-rejected")
	b.d.log.want(t, "no", no, "OPENID_SESSION_LOGOUT_FAILURE_REJECTED")

	b.next()
	browse(b, chromedp.Navigate(b.d.base+"/v1/logout?client_id=party-two&ui_locales="+b.screen.language))
	b.shows("button.primary")
	frontOne, backOne := one.told()
	frontTwo, _ := two.told()
	yes := b.next()
	b.reach("button.primary")
	b.press(kb.Enter)
	b.shows(".sign")
	b.picture("logout-done")
	b.d.log.want(t, "yes", yes, "OPENID_SESSION_LOGOUT_SUCCESS OPENID_SESSION_LOGOUT_TOKENS_DELETED")
	b.eventually("both parties were told in frames, one through the back channel", func() bool {
		front1, back1 := one.told()
		front2, back2 := two.told()
		return front1 == frontOne+1 && front2 == frontTwo+1 && back1 == backOne+1 && back2 == 0
	})
	one.mu.Lock()
	query := one.front[len(one.front)-1]
	one.mu.Unlock()
	if query.Get("iss") != b.d.base || len(query.Get("sid")) != 36 {
		t.Errorf("the frame of the first party was told %v", query)
	}
	browse(b, chromedp.Navigate(two.URL+"/page"))
	b.shows("#op")
	if got := b.heard("party-two " + second.Get("session_state")); got != "changed" {
		t.Errorf("after the logout the frame says %q", got)
	}

	// With the hint of this session nobody is asked; the page with the frames goes on by itself.
	first = b.signIn(user, one)
	hint := b.idToken(one, first.Get("code"))
	frontOne, _ = one.told()
	at := b.next()
	browse(b, chromedp.Navigate(b.d.base+"/v1/logout?"+url.Values{"id_token_hint": {hint}, "state": {"bye"}}.Encode()))
	b.shows("#op")
	if got := browse(b, chromedp.Evaluate[string]("location.href")); got != one.URL+"/page?out=1&state=bye" {
		t.Errorf("ended at %s", got)
	}
	if front, _ := one.told(); front != frontOne+1 {
		t.Errorf("%d frames, want one", front-frontOne)
	}
	b.d.log.want(t, "with the hint", at, "OPENID_SESSION_LOGOUT_SUCCESS OPENID_SESSION_LOGOUT_TOKENS_DELETED")
	b.next()
}

// eventually waits for something that happens in the background.
func (b *tab) eventually(what string, is func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(sealTime)
	for !is() {
		if time.Now().After(deadline) {
			b.t.Fatalf("not within %v: %s", sealTime, what)
		}
		time.Sleep(pollEvery)
	}
}
