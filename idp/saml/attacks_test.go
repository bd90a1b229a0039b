package saml_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// child returns the only descendant with a tag.
func child(t *testing.T, e *etree.Element, path string) *etree.Element {
	t.Helper()
	found := e.FindElement(path)
	if found == nil {
		t.Fatalf("no %s", path)
	}
	return found
}

// evil is the assertion as the attacker wants it.
func evil(t *testing.T, r reply) *etree.Element {
	t.Helper()
	r.assertionID, r.nameID = "_evil", "admin"
	return element(t, r.assertion())
}

// evilResponse is the response as the attacker wants it.
func evilResponse(t *testing.T, r reply) *etree.Element {
	t.Helper()
	r.id, r.sign, r.assertionID, r.nameID = "_evil_response", "", "_evil", "admin"
	return r.document(t)
}

// without returns a copy without the signature that is a direct child.
func without(e *etree.Element) *etree.Element {
	c := e.Copy()
	for _, s := range c.SelectElements("Signature") {
		c.RemoveChild(s)
	}
	return c
}

// wrapping are the eight classic ways to show one element to the verifier and another one to the reader
// (Somorovsky et al., On Breaking SAML, 2012; numbered as by SAML Raider).
func wrapping(t *testing.T, n int, r reply) *etree.Element {
	t.Helper()
	if n <= 2 {
		r.sign = "response"
		good := r.document(t)
		signature := child(t, good, "./Signature")
		bad := evilResponse(t, r)
		if n == 1 { // the signed response inside the signature
			moved := signature.Copy()
			moved.AddChild(without(good))
			bad.InsertChildAt(1, moved)
			return bad
		}
		bad.InsertChildAt(1, without(good)) // the signed response before the signature
		bad.InsertChildAt(2, signature.Copy())
		return bad
	}
	r.sign = "assertion"
	response := r.document(t)
	good := child(t, response, "./Assertion")
	signature := child(t, good, "./Signature")
	bad := evil(t, r)
	switch n {
	case 3: // beside, in front
		response.InsertChildAt(good.Index(), bad)
	case 4: // around
		response.RemoveChild(good)
		bad.AddChild(good)
		response.AddChild(bad)
	case 5: // the signature moves over, the signed assertion loses it
		response.RemoveChild(good)
		bad.InsertChildAt(1, signature.Copy())
		response.AddChild(bad)
		response.AddChild(without(good))
	case 6: // the signed assertion inside the moved signature
		response.RemoveChild(good)
		moved := signature.Copy()
		moved.AddChild(without(good))
		bad.InsertChildAt(1, moved)
		response.AddChild(bad)
	case 7: // in an extension, where schemas allow anything
		extensions := etree.NewElement("samlp:Extensions")
		extensions.AddChild(bad)
		response.InsertChildAt(1, extensions)
	case 8: // the signed assertion in an Object of the moved signature
		response.RemoveChild(good)
		moved := signature.Copy()
		object := moved.CreateElement("ds:Object")
		object.AddChild(without(good))
		bad.InsertChildAt(1, moved)
		response.AddChild(bad)
	}
	return response
}

// TestAttacks: none of these signs anybody in, and each says in the log why.
func TestAttacks(t *testing.T) {
	const bomb = `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	wrap := func(n int) func(*testing.T, reply) string {
		return func(t *testing.T, r reply) string { return encode(text(t, wrapping(t, n, r))) }
	}
	fields := func(change func(*reply)) func(*testing.T, reply) string {
		return func(t *testing.T, r reply) string {
			change(&r)
			return r.encoded(t)
		}
	}
	edited := func(old, next string) func(*testing.T, reply) string {
		return func(t *testing.T, r reply) string {
			t.Helper()
			before := text(t, r.document(t))
			after := strings.Replace(before, old, next, 1)
			if before == after {
				t.Fatalf("no %s in %s", old, before)
			}
			return encode(after)
		}
	}
	instant := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := newWorld(t)
	for _, tc := range []struct {
		name   string
		send   func(*testing.T, reply) string
		reason string
	}{
		{"unsigned", fields(func(r *reply) { r.sign = "" }), "not signed"},
		{"signed by another key", fields(func(r *reply) { r.with = otherKeys() }), "signature is not valid"},
		{"response signed by another key, assertion by the right one", func(t *testing.T, r reply) string {
			response := r.document(t)
			r.with = otherKeys()
			return encode(text(t, r.signed(t, response)))
		}, "signature is not valid"},
		{"wrapping 1", wrap(1), "signature is not valid"},
		{"wrapping 2", wrap(2), "signature is not valid"},
		{"wrapping 3", wrap(3), "not exactly one assertion"},
		{"wrapping 4", wrap(4), "not exactly one assertion"},
		{"wrapping 5", wrap(5), "not exactly one assertion"},
		{"wrapping 6", wrap(6), "not exactly one assertion"},
		{"wrapping 7", wrap(7), "not exactly one assertion"},
		{"wrapping 8", wrap(8), "not exactly one assertion"},
		{"wrapped with the same id", func(t *testing.T, r reply) string {
			response := r.document(t)
			bad := evil(t, r)
			bad.CreateAttr("ID", r.assertionID)
			response.InsertChildAt(1, bad)
			return encode(text(t, response))
		}, "document is not acceptable"},
		{"id in a namespace", edited(` ID="_assertion`, ` x:ID="_evil" xmlns:x="urn:x" ID="_assertion`), "document is not acceptable"},
		{"repeated attribute", edited(` Version="2.0"`, ` Version="2.0" Version="2.0"`), "document is not acceptable"},
		{"signature over the whole document", edited(`URI="#_assertion`, `URI="" Old="#_assertion`), "signature is not valid"},
		{"second signature", func(t *testing.T, r reply) string {
			response := r.document(t)
			good := child(t, response, "./Assertion")
			good.InsertChildAt(1, child(t, good, "./Signature").Copy())
			return encode(text(t, response))
		}, "signature is not valid"},
		{"user changed", edited(`>ann<`, `>admin<`), "signature is not valid"},
		{"attribute added", edited(`</saml:Assertion>`, `<saml:AttributeStatement/></saml:Assertion>`), "signature is not valid"},
		{"comment in the name id", edited(`>ann<`, `>an<!-- -->n<`), "document is not acceptable"},
		{"element in the name id", fields(func(r *reply) { r.nameID = "admin<x/>.attacker.example" }), "name id is no text"},
		{"second assertion", func(t *testing.T, r reply) string {
			response := r.document(t)
			r.assertionID, r.nameID = "_second", "bob"
			response.AddChild(r.signed(t, element(t, r.assertion())))
			return encode(text(t, response))
		}, "not exactly one assertion"},
		{"no assertion", fields(func(r *reply) { r.noAssertion, r.sign = true, "response" }), "not exactly one assertion"},
		{"wrong audience", fields(func(r *reply) { r.audience = "https://else.example" }), "audience"},
		{"audience with more behind it", fields(func(r *reply) { r.audience = ourEntity + "2" }), "audience"},
		{"no audience", fields(func(r *reply) { r.audience = "" }), "audience"},
		{"wrong destination", fields(func(r *reply) { r.destination = "https://else.example/acs" }), "destination"},
		{"no destination of a signed response", fields(func(r *reply) { r.destination, r.sign = "", "response" }), "destination"},
		{"wrong recipient", fields(func(r *reply) { r.recipient = "https://else.example/acs" }), "recipient"},
		{"answers another request", fields(func(r *reply) { r.inResponseTo = "_1" }), "in response to another request"},
		{"confirmation answers another request", fields(func(r *reply) { r.confirmInResponseTo = "_1" }), "in response to another request"},
		{"answers nothing", fields(func(r *reply) { r.inResponseTo, r.confirmInResponseTo = "", "" }), "in response to another request"},
		{"wrong issuer of the response", fields(func(r *reply) { r.issuer = "https://else.example" }), "issuer"},
		{"wrong issuer of the assertion", fields(func(r *reply) { r.assertionIssuer = "https://else.example" }), "issuer"},
		{"expired", fields(func(r *reply) { r.notOnOrAfter = at(instant.Add(-time.Minute)) }), "expired"},
		{"confirmation expired", fields(func(r *reply) { r.confirmUntil = at(instant.Add(-time.Minute)) }), "expired"},
		{"confirmation without end", fields(func(r *reply) { r.confirmUntil = "" }), "confirmation without end"},
		{"not yet valid", fields(func(r *reply) { r.notBefore = at(instant.Add(61 * time.Second)) }), "not yet valid"},
		{"signed in tomorrow", fields(func(r *reply) { r.authnInstant = at(instant.Add(24 * time.Hour)) }), "not yet valid"},
		{"no time of authentication", fields(func(r *reply) { r.authnInstant = "" }), "no time of authentication"},
		{"RSA with SHA-1", fields(func(r *reply) { r.method = dsig.RSASHA1SignatureMethod }), "signature algorithm is not accepted"},
		{"digest with SHA-1", edited("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"), "signature algorithm is not accepted"},
		{"HMAC under the public key", edited(dsig.RSASHA256SignatureMethod, "http://www.w3.org/2000/09/xmldsig#hmac-sha1"), "signature algorithm is not accepted"},
		{"transform that runs a program", edited("http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>", "http://www.w3.org/TR/1999/REC-xslt-19991116\"/></ds:Transforms>"), "signature algorithm is not accepted"},
		{"external entity", func(t *testing.T, r reply) string {
			return encode(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(text(t, r.document(t)), ">ann<", ">&x;<", 1))
		}, "document is not acceptable"},
		{"billion laughs", func(t *testing.T, r reply) string {
			return encode(bomb + strings.Replace(text(t, r.document(t)), ">ann<", ">&c;<", 1))
		}, "document is not acceptable"},
		{"document type alone", func(t *testing.T, r reply) string { return encode(`<!DOCTYPE r>` + text(t, r.document(t))) }, "document is not acceptable"},
		{"processing instruction", edited(`<samlp:Status>`, `<?php exit ?><samlp:Status>`), "document is not acceptable"},
		{"UTF-7", func(t *testing.T, r reply) string {
			return encode(`<?xml version="1.0" encoding="UTF-7"?>` + text(t, r.document(t)))
		}, "document is not acceptable"},
		{"very deep", func(*testing.T, reply) string {
			return encode(strings.Repeat("<a>", 3000) + strings.Repeat("</a>", 3000))
		}, "document is not acceptable"},
		{"very many elements", func(*testing.T, reply) string {
			return encode("<a>" + strings.Repeat("<b/>", 9000) + "</a>")
		}, "document is not acceptable"},
		{"very many attributes", func(*testing.T, reply) string {
			return encode(`<a` + strings.Repeat(` b="c"`, 2000) + `/>`)
		}, "document is not acceptable"},
		{"deflate bomb", func(t *testing.T, _ reply) string {
			var small bytes.Buffer
			deflate, err := flate.NewWriter(&small, flate.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = deflate.Write([]byte("<a>" + strings.Repeat(" ", 1<<24) + "</a>"))
			_ = deflate.Close()
			return base64.StdEncoding.EncodeToString(small.Bytes())
		}, "document is not acceptable"},
		{"assertion for a response", func(t *testing.T, r reply) string { return encode(text(t, r.signed(t, element(t, r.assertion())))) }, "document is not acceptable"},
		{"no base64", func(*testing.T, reply) string { return "<Response/>" }, "document is not acceptable"},
		{"two documents", func(t *testing.T, r reply) string { return encode(text(t, r.document(t)) + "<x/>") }, "document is not acceptable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t, w.lobby.failed = t, nil
			w.wait("t1", nil)
			request := w.start("t1")
			a := w.post("t1", tc.send(t, w.reply(request.SelectAttrValue("ID", ""))))
			events := w.want(a, http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
			if want := `{"idp":"bank","reason":"` + tc.reason + `"}`; events[0].Details != want {
				t.Errorf("details %s, want %s", events[0].Details, want)
			}
			if len(w.lobby.identified) != 0 || len(w.lobby.failed) != 1 {
				t.Errorf("identified %v, failed %v", w.lobby.identified, w.lobby.failed)
			}
		})
	}
}

// TestMisplacedResponses: what does not belong to a sign-in of this browser touches none.
func TestMisplacedResponses(t *testing.T) {
	const other = "page: the sign-in belongs to another browser, or to none"
	for _, tc := range []struct {
		name    string
		form    func(response string) url.Values
		before  func(*world)
		header  http.Header
		body    string
		audit   audit.Code
		details string
	}{
		{
			name: "unsolicited", form: func(r string) url.Values { return url.Values{"SAMLResponse": {r}} },
			body: other, audit: audit.IDPSamlLoginTransactionIDMissing, details: `{"reason":"unsolicited response"}`,
		},
		{
			name: "for another browser's transaction", form: func(r string) url.Values {
				return url.Values{"SAMLResponse": {r}, "RelayState": {"t1"}, "again": {"1"}}
			}, header: http.Header{"Cookie": {"browser=bob's"}}, body: other, audit: audit.IDPSamlLoginTransactionIDMissing, details: `{"reason":"another browser"}`,
		},
		{
			name: "no cookie at all", form: func(r string) url.Values {
				return url.Values{"SAMLResponse": {r}, "RelayState": {"t1"}, "again": {"1"}}
			}, header: http.Header{}, body: other, audit: audit.IDPSamlLoginTransactionIDMissing, details: `{"reason":"another browser"}`,
		},
		{
			name: "unknown transaction", form: func(r string) url.Values { return url.Values{"SAMLResponse": {r}, "RelayState": {"t9"}} },
			body: "page: the sign-in has ended", audit: audit.IDPSamlLoginTransactionNotFound, details: `{"reason":"no transaction"}`,
		},
		{
			name: "too late", before: func(w *world) { w.wait("t1", func(a *store.Authorization) { a.ExpiresAt = w.Now() }) },
			body: "page: the sign-in has ended", audit: audit.IDPSamlLoginTransactionNotFound, details: `{"reason":"transaction expired"}`,
		},
		{
			name: "a second time", before: func(w *world) { w.wait("t1", func(a *store.Authorization) { a.State = store.Identified }) },
			body: "page: the answer of the identity provider was used before", audit: audit.IDPSamlLoginReplayDetected, details: `{"reason":"the user is known already"}`,
		},
		{
			name: "no response", form: func(string) url.Values { return url.Values{"RelayState": {"t1"}} },
			body: "page: the request carries no SAML response", audit: audit.IDPSamlLoginFailed, details: `{"reason":"no response"}`,
		},
		{
			name: "oversized", form: func(r string) url.Values {
				return url.Values{"SAMLResponse": {r + strings.Repeat("A", 64<<10)}, "RelayState": {"t1"}}
			}, body: "page: the request carries no SAML response", audit: audit.IDPSamlLoginFailed, details: `{"reason":"not a form"}`,
		},
		{
			name: "two responses", form: func(r string) url.Values { return url.Values{"SAMLResponse": {r, r}, "RelayState": {"t1"}} },
			body: "page: the request carries no SAML response", audit: audit.IDPSamlLoginFailed, details: `{"reason":"not a form"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			request := w.start("t1")
			response := w.reply(request.SelectAttrValue("ID", "")).encoded(t)
			if tc.before != nil {
				tc.before(w)
			}
			form := url.Values{"SAMLResponse": {response}, "RelayState": {"t1"}}
			if tc.form != nil {
				form = tc.form(response)
			}
			header := browser()
			if tc.header != nil {
				header = tc.header
			}
			a := audittest.Do(t, w.handler, audittest.Request{Path: "/oauth/saml/acs", Form: form, Header: header})
			events := w.want(a, http.StatusBadRequest, "", tc.body, tc.audit)
			if events[0].Details != tc.details {
				t.Errorf("details %s, want %s", events[0].Details, tc.details)
			}
			if len(w.lobby.identified)+len(w.lobby.failed) != 0 {
				t.Errorf("identified %v, failed %v", w.lobby.identified, w.lobby.failed)
			}
		})
	}
}

// TestReplays: a response that was used is worth nothing in the same sign-in nor in another one.
func TestReplays(t *testing.T) {
	w := newWorld(t)
	w.lobby.stay = true
	request := w.start("t1")
	response := w.reply(request.SelectAttrValue("ID", "")).encoded(t)
	w.want(w.post("t1", response), http.StatusSeeOther, "/oauth/on?t=t1", "")
	events := w.want(w.post("t1", response), http.StatusSeeOther,
		back("server_error", "the answer of the identity provider was used before", "Responder"), "", audit.IDPSamlLoginReplayDetected)
	if events[0].Details != `{"idp":"bank"}` {
		t.Errorf("details %s", events[0].Details)
	}
	w.wait("t2", nil)
	w.start("t2")
	w.want(w.post("t2", response), http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
	if len(w.lobby.identified) != 1 {
		t.Errorf("identified %v", w.lobby.identified)
	}
}

// TestOldProofs: a provider that ignores ForceAuthn does not pass for one that obeyed.
func TestOldProofs(t *testing.T) {
	for name, change := range map[string]func(*store.Authorization){
		"prompt=login": func(a *store.Authorization) { a.ForceLogin = true },
		"max_age":      func(a *store.Authorization) { a.MaxAge = 60 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, age := range []time.Duration{time.Minute, time.Hour} {
				w := newWorld(t)
				w.wait("t2", change)
				request := w.start("t2")
				r := w.reply(request.SelectAttrValue("ID", ""))
				r.authnInstant = at(w.Now().Add(-age))
				a := w.post("t2", r.encoded(t))
				if age == time.Minute {
					w.want(a, http.StatusSeeOther, "/oauth/on?t=t2", "")
					continue
				}
				events := w.want(a, http.StatusSeeOther, back("login_required", "the user did not sign in anew", "Responder"), "", audit.IDPSamlLoginFailed)
				if events[0].Details != `{"idp":"bank","reason":"authentication is older than asked for"}` {
					t.Errorf("details %s", events[0].Details)
				}
			}
		})
	}
}

// TestAnotherProvidersResponse: a response of one configured provider is nothing in a sign-in at another one.
func TestAnotherProvidersResponse(t *testing.T) {
	w := newWorld(t, func(d *settings.Document) {
		d.IdentityProviders = append(d.IdentityProviders, settings.IdentityProvider{
			ID: "shady", Type: settings.SAMLProvider, SAML: &settings.SAMLSection{
				EntityID: "https://shady.example", Metadata: strings.ReplaceAll(idpMetadata("HTTP-Redirect", otherKeys()), idpEntity, "https://shady.example"),
			},
		})
	})
	request := w.start("t1")
	r := w.reply(request.SelectAttrValue("ID", ""))
	r.issuer, r.assertionIssuer, r.with = "https://shady.example", "https://shady.example", otherKeys()
	w.want(w.post("t1", r.encoded(t)), http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
	w.wait("t2", func(a *store.Authorization) { a.Provider = "shady" })
	w.start("t2")
	w.want(w.post("t2", r.encoded(t)), http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
	if len(w.lobby.identified) != 0 {
		t.Errorf("identified %v", w.lobby.identified)
	}
}
