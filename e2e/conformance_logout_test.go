package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"tokenserver/phone"
)

const (
	rpFront = "rp-front" // told of logouts by the browser
	rpBack  = "rp-back"  // told of logouts by the server
)

// toldParties are relying parties that want to know when a user leaves.
func (w *world) toldParties(party func(string, object) object) []object {
	return []object{
		party(rpFront, object{"open_id_connect": object{
			"post_logout_redirect_urls": []string{rpLoggedOut},
			"front_channel_logout_url":  w.others.url + "/front-channel", "front_channel_logout_session_required": true,
		}}),
		party(rpBack, object{"open_id_connect": object{
			"post_logout_redirect_urls": []string{rpLoggedOut},
			"back_channel_logout_url":   w.others.url + "/back-channel", "back_channel_logout_session_required": true,
		}}),
	}
}

// logoutModules are those of the RP-Initiated Logout plan.
func logoutModules() []module {
	// stays: the user sees a page, an error or a question, and is never sent to the address.
	stays := func(change func(query url.Values)) func(*relyingParty) {
		return func(rp *relyingParty) {
			got, _ := rp.signedIn(nil)
			query := url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {rpLoggedOut}, "state": {"s1"}}
			change(query)
			back, err := rp.leave(query)
			var page *phone.PageError
			if !errors.As(err, &page) && !errors.Is(err, phone.ErrLost) {
				rp.t.Errorf("came to %v, %v", back, err)
			}
		}
	}
	// ends: the session is over, wherever the user is then.
	ends := func(change func(query url.Values), wantState string) func(*relyingParty) {
		return func(rp *relyingParty) {
			got, _ := rp.signedIn(nil)
			query := url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {rpLoggedOut}, "state": {"s1"}}
			change(query)
			back, err := rp.leave(query)
			if err != nil && (query.Has("post_logout_redirect_uri") || !errors.Is(err, phone.ErrLost)) {
				rp.t.Fatal(err)
			}
			if back.Get("state") != wantState {
				rp.t.Errorf("state %q, want %q", back.Get("state"), wantState)
			}
			if silent := rp.answered(rp.request(map[string]string{"prompt": "none"})); silent.Get("error") != "login_required" {
				rp.t.Errorf("still signed in: %v", silent)
			}
		}
	}
	without := func(names ...string) func(url.Values) {
		return func(query url.Values) {
			for _, name := range names {
				query.Del(name)
			}
		}
	}
	with := func(name, value string) func(url.Values) {
		return func(query url.Values) { query.Set(name, value) }
	}
	return []module{
		{"oidcc-rp-initiated-logout", ends(without(), "s1")},
		{"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri", stays(with("post_logout_redirect_uri", "https://rp.example.org/other"))},
		{"oidcc-rp-initiated-logout-modified-id-token-hint", stays(func(query url.Values) {
			parts := strings.Split(query.Get("id_token_hint"), ".")
			signature := []byte(parts[2])
			signature[10] ^= 1 // another base64url character, or none
			query.Set("id_token_hint", parts[0]+"."+parts[1]+"."+string(signature))
		})},
		{"oidcc-rp-initiated-logout-no-id-token-hint", stays(without("id_token_hint"))},
		{"oidcc-rp-initiated-logout-no-params", ends(without("id_token_hint", "post_logout_redirect_uri", "state"), "")},
		{"oidcc-rp-initiated-logout-no-post-logout-redirect-uri", ends(without("post_logout_redirect_uri", "state"), "")},
		{"oidcc-rp-initiated-logout-no-state", ends(without("state"), "")},
		{"oidcc-rp-initiated-logout-only-state", ends(without("id_token_hint", "post_logout_redirect_uri"), "")},
		{"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri", stays(with("post_logout_redirect_uri", rpLoggedOut+"?extra=1"))},
		{"oidcc-rp-initiated-logout-bad-id-token-hint", stays(with("id_token_hint", "invalid_id_token"))},
	}
}

// leave opens the end session endpoint in the browser, agrees where it is asked, and returns what comes back to the client.
func (rp *relyingParty) leave(query url.Values) (url.Values, error) {
	rp.t.Helper()
	rp.person.Transport = rp.actor
	if rp.via != nil {
		rp.person.Transport = rp.via
	}
	address, is := rp.document()["end_session_endpoint"].(string)
	if !is {
		rp.t.Fatal("there is no end_session_endpoint")
	}
	got, err := rp.person.Open(rp.t.Context(), address+"?"+query.Encode(), rpLoggedOut)
	if err != nil {
		return nil, err
	}
	back, err := url.Parse(got)
	if err != nil {
		return nil, err
	}
	return back.Query(), nil
}

// channelModules are those of the Front-Channel and the Back-Channel Logout plans.
func channelModules() []module {
	return []module{
		{"oidcc-frontchannel-rp-initiated-logout", conformFrontChannel},
		{"oidcc-backchannel-rp-initiated-logout", conformBackChannel},
	}
}

// reader keeps the pages that the browser gets.
type reader struct {
	next  http.RoundTripper
	pages []string
}

// RoundTrip implements http.RoundTripper.
func (r *reader) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(text))
	r.pages = append(r.pages, string(text))
	return response, nil
}

// conformFrontChannel: the page after the logout loads the client's address in a frame, with issuer and session.
func conformFrontChannel(rp *relyingParty) {
	rp.id = rpFront
	got, id := rp.signedIn(nil)
	pages := &reader{next: rp.actor}
	rp.via = pages
	if _, err := rp.leave(url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {rpLoggedOut}, "state": {"s1"}}); err != nil {
		rp.t.Fatal(err)
	}
	want := rp.d.world.others.url + "/front-channel?" + url.Values{"iss": {rp.d.base}, "sid": {id.text("sid")}}.Encode()
	for _, page := range pages.pages {
		if strings.Contains(html.UnescapeString(page), `src="`+want+`"`) {
			return
		}
	}
	rp.t.Errorf("no frame shows %s", want)
}

// conformBackChannel: the client gets a logout token about the session (Back-Channel Logout 1.0 §2.4).
func conformBackChannel(rp *relyingParty) {
	rp.id = rpBack
	got, id := rp.signedIn(nil)
	if _, err := rp.leave(url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {rpLoggedOut}}); err != nil {
		rp.t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		for _, notice := range rp.d.world.others.noticed() {
			claims := jwtPart(rp.t, notice, 1)
			if claims["sid"] == id.text("sid") {
				rp.checkNotice(notice, id)
				return
			}
		}
		if time.Now().After(deadline) {
			rp.t.Fatal("no logout token came")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (rp *relyingParty) checkNotice(notice string, id *idToken) {
	rp.t.Helper()
	ctx, _ := rp.provider()
	address, _ := rp.document()["jwks_uri"].(string)
	body, err := oidc.NewRemoteKeySet(ctx, address).VerifySignature(ctx, notice)
	if err != nil {
		rp.t.Fatal(err)
	}
	var claims struct {
		Issuer   string                    `json:"iss"`
		Audience string                    `json:"aud"`
		Subject  string                    `json:"sub"`
		ID       string                    `json:"jti"`
		IssuedAt int64                     `json:"iat"`
		Events   map[string]map[string]any `json:"events"`
		Nonce    *string                   `json:"nonce"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		rp.t.Fatal(err)
	}
	event := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
	if jwtPart(rp.t, notice, 0)["typ"] != "logout+jwt" || claims.Issuer != rp.d.base || claims.Audience != rp.id || claims.Subject != id.Subject ||
		claims.ID == "" || claims.IssuedAt == 0 || event == nil || len(event) != 0 || claims.Nonce != nil {
		rp.t.Errorf("logout token %s", body)
	}
}
