package saml_test

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

func attribute(name, friendly string, values ...string) string {
	s := `<saml:Attribute` + attr("Name", name) + attr("FriendlyName", friendly) + `>`
	for _, v := range values {
		s += `<saml:AttributeValue>` + v + `</saml:AttributeValue>`
	}
	return s + `</saml:Attribute>`
}

func TestSignedInUsers(t *testing.T) {
	instant := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	const password = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	name := `{"name_id":{"value":"ann"},"entity_id":"` + ourEntity + `"}`
	plain := store.Identity{
		UserID: "ann", Attributes: store.Attributes{}, ACR: password, AuthTime: instant, ProviderSession: "s-1", ProviderToken: name,
	}
	with := func(change func(*store.Identity)) store.Identity {
		id := plain
		change(&id)
		return id
	}
	for _, tc := range []struct {
		name  string
		doc   func(*settings.Document)
		reply func(*reply)
		want  store.Identity
	}{
		{name: "assertion signed", want: plain},
		{name: "response signed", reply: func(r *reply) { r.sign = "response" }, want: plain},
		{name: "both signed", reply: func(r *reply) { r.sign = "both" }, want: plain},
		{name: "no Destination where the response is not signed", reply: func(r *reply) { r.destination = "" }, want: plain},
		{name: "no Issuer of the response", reply: func(r *reply) { r.issuer = ""; r.sign = "assertion" }, want: plain},
		{
			name: "new key of a provider that changes keys", doc: func(d *settings.Document) {
				d.IdentityProviders[0].SAML.Metadata = idpMetadata("HTTP-Redirect", idpKeys(), nextIDPKeys())
			}, reply: func(r *reply) { r.with = nextIDPKeys() }, want: plain,
		},
		{
			name: "blanks belong to a user id", reply: func(r *reply) {
				r.nameID, r.attributes = "ann ", attribute("uid", "", "\u00a0ann")
			}, want: with(func(id *store.Identity) {
				id.UserID, id.Attributes = "ann ", store.Attributes{"uid": "\u00a0ann"}
				id.ProviderToken = `{"name_id":{"value":"ann "},"entity_id":"` + ourEntity + `"}`
			}),
		},
		{name: "RSA with SHA-512", reply: func(r *reply) { r.method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" }, want: plain},
		{
			name: "clocks 59 s apart", reply: func(r *reply) {
				r.notBefore, r.notOnOrAfter, r.confirmUntil = at(instant.Add(59*time.Second)), at(instant.Add(-59*time.Second)), at(instant.Add(-59*time.Second))
			}, want: plain,
		},
		{
			name: "level in the class", reply: func(r *reply) { r.class = "urn:onegini.com:oidc:authentication_level:3" },
			want: with(func(id *store.Identity) { id.ACR, id.Level = "urn:onegini.com:oidc:authentication_level:3", "3" }),
		},
		{
			name: "attributes under their own names", reply: func(r *reply) {
				r.attributes = attribute("urn:oid:2.5.4.42", "givenName", "Ann") + attribute("groups", "", "a", "b") + attribute("empty", "") + attribute("authenticationLevel", "", "2")
			}, want: with(func(id *store.Identity) {
				id.Level = "2"
				id.Attributes = store.Attributes{"urn:oid:2.5.4.42": "Ann", "groups": []any{"a", "b"}, "authenticationLevel": "2"}
			}),
		},
		{
			name: "friendly names where a mapping asks for them", doc: func(d *settings.Document) {
				d.IdentityProviders[0].AttributeMappings = []settings.AttributeMapping{{From: "givenName", To: "firstName"}, {From: "loa", To: "authenticationLevel"}}
			}, reply: func(r *reply) {
				r.attributes = attribute("urn:oid:2.5.4.42", "givenName", "Ann") + attribute("loa", "", "4") + attribute("authenticationLevel", "", "2")
			}, want: with(func(id *store.Identity) {
				id.Level = "4"
				id.Attributes = store.Attributes{"urn:oid:2.5.4.42": "Ann", "givenName": "Ann", "loa": "4", "authenticationLevel": "2"}
			}),
		},
		{
			name: "user id by mapping, no name id", doc: func(d *settings.Document) {
				d.IdentityProviders[0].AttributeMappings = []settings.AttributeMapping{{From: "employee", To: "userId"}}
			}, reply: func(r *reply) { r.nameID, r.attributes = "", attribute("employee", "", "e-7") },
			want: with(func(id *store.Identity) {
				id.UserID, id.Attributes, id.ProviderToken = "e-7", store.Attributes{"employee": "e-7"}, `{"name_id":{"value":""},"entity_id":"`+ourEntity+`"}`
			}),
		},
		{
			name: "entity id of the client", doc: func(d *settings.Document) { d.SAML.PerClient, d.SAML.EntityID = true, "urn:us" },
			reply: func(r *reply) { r.audience = "urn:us-shop" },
			want:  with(func(id *store.Identity) { id.ProviderToken = `{"name_id":{"value":"ann"},"entity_id":"urn:us-shop"}` }),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(d *settings.Document) {
				if tc.doc != nil {
					tc.doc(d)
				}
			})
			request := w.start("t1")
			r := w.reply(request.SelectAttrValue("ID", ""))
			if tc.reply != nil {
				tc.reply(&r)
			}
			a := w.post("t1", r.encoded(t))
			w.want(a, http.StatusSeeOther, "/oauth/on?t=t1", "")
			if len(w.lobby.identified) != 1 || !reflect.DeepEqual(w.lobby.identified[0], tc.want) {
				t.Errorf("identified %+v\nwant %+v", w.lobby.identified, tc.want)
			}
		})
	}
}

// back is where an error response goes.
func back(code, description, status string, more ...string) string {
	v := url.Values{"error": {code}, "error_description": {description}}
	if status != "" {
		v.Set("onegini_saml_error", "urn:oasis:names:tc:SAML:2.0:status:"+status)
	}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return "https://client.example/back?" + v.Encode()
}

const (
	unusable = "the answer of the identity provider is not usable"
	notIn    = "the identity provider did not sign the user in"
)

func TestProviderSaysNo(t *testing.T) {
	for _, tc := range []struct {
		name     string
		reply    func(*reply)
		location string
		audit    audit.Code
		details  string
	}{
		{
			name: "wrong password", reply: func(r *reply) { r.status, r.substatus = "Responder", "AuthnFailed" },
			location: back("access_denied", notIn, "AuthnFailed"), audit: audit.IDPSamlLoginFailed,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"}`,
		},
		{
			name: "refused with a cause", reply: func(r *reply) { r.status, r.substatus, r.message = "Responder", "AuthnFailed", "no_existing_customer" },
			location: back("access_denied", notIn, "AuthnFailed", "onegini_error_cause", "no_existing_customer"), audit: audit.IDPSamlLoginFailed,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed","cause":"no_existing_customer"}`,
		},
		{
			name: "message for people", reply: func(r *reply) { r.status, r.substatus, r.message = "Responder", "RequestDenied", "We are sorry." },
			location: back("access_denied", notIn, "RequestDenied"), audit: audit.IDPSamlLoginFailed,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:RequestDenied"}`,
		},
		{
			name: "nobody is signed in", reply: func(r *reply) { r.status, r.substatus = "Responder", "NoPassive" },
			location: back("login_required", "the user is not signed in", "NoPassive"), audit: audit.AuthnRequestLoginRequired,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:NoPassive"}`,
		},
		{
			name: "fault of the provider", reply: func(r *reply) { r.status = "Responder" },
			location: back("server_error", unusable, "Responder"), audit: audit.IDPSamlLoginFailed,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:Responder"}`,
		},
		{
			name: "signed refusal", reply: func(r *reply) { r.status, r.substatus, r.sign = "Requester", "NoAuthnContext", "response" },
			location: back("server_error", unusable, "NoAuthnContext"), audit: audit.IDPSamlLoginFailed,
			details: `{"idp":"bank","status":"urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			request := w.start("t1")
			r := w.reply(request.SelectAttrValue("ID", ""))
			r.noAssertion, r.sign = true, ""
			tc.reply(&r)
			events := w.want(w.post("t1", r.encoded(t)), http.StatusSeeOther, tc.location, "", tc.audit)
			if events[0].Details != tc.details || len(w.lobby.failed) != 1 || len(w.lobby.identified) != 0 {
				t.Errorf("details %s, failed %v, identified %v", events[0].Details, w.lobby.failed, w.lobby.identified)
			}
		})
	}
}

func TestUsersWithoutID(t *testing.T) {
	const nobody = "the identity provider names no user"
	for _, tc := range []struct {
		name    string
		mapping []settings.AttributeMapping
		audit   audit.Code
		details string
	}{
		{"no name id", nil, audit.IDPSamlLoginUserIDNotFound, `{"idp":"bank"}`},
		{
			"mapped attribute is absent",
			[]settings.AttributeMapping{{From: "employee", To: "userId"}},
			audit.IDPSamlLoginMappedUserIDNotFound, `{"idp":"bank","attribute":"employee"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(d *settings.Document) { d.IdentityProviders[0].AttributeMappings = tc.mapping })
			request := w.start("t1")
			r := w.reply(request.SelectAttrValue("ID", ""))
			r.nameID, r.attributes = "", attribute("other", "", "x")
			events := w.want(w.post("t1", r.encoded(t)), http.StatusSeeOther, back("server_error", nobody, "Responder"), "", tc.audit)
			if events[0].Details != tc.details {
				t.Errorf("details %s", events[0].Details)
			}
		})
	}
}

func TestRefusedIdentityEndsTheTransaction(t *testing.T) {
	w := newWorld(t)
	w.lobby.refuse = outcome.Failure{Code: outcome.AccessDenied, Audit: audit.IDPUserRefused, Text: "the account may not be used"}.Because(store.ErrConflict)
	request := w.start("t1")
	a := w.post("t1", w.reply(request.SelectAttrValue("ID", "")).encoded(t))
	w.want(a, http.StatusSeeOther, back("access_denied", "the account may not be used", ""), "", audit.IDPUserRefused)
	if len(w.lobby.failed) != 1 {
		t.Errorf("failed %v", w.lobby.failed)
	}
}

func TestFaultOfOursIsNoFailureOfTheProvider(t *testing.T) {
	w := newWorld(t)
	w.lobby.refuse = errors.New("disk full")
	request := w.start("t1")
	a := w.post("t1", w.reply(request.SelectAttrValue("ID", "")).encoded(t))
	w.want(a, http.StatusInternalServerError, "", "page: the server made a mistake; it has been logged")
}

// TestOwnPostBringsTheCookie: the cookie of the transaction does not come along with a form of another site.
func TestOwnPostBringsTheCookie(t *testing.T) {
	w := newWorld(t)
	request := w.start("t1")
	response := w.reply(request.SelectAttrValue("ID", "")).encoded(t)
	form := url.Values{"SAMLResponse": {response}, "RelayState": {"t1"}}
	a := audittest.Do(t, w.handler, audittest.Request{Path: "/oauth/saml/acs", Form: form})
	w.want(a, http.StatusOK, "", "*")
	if !strings.Contains(a.Body, `action="`+acs+`"`) || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	again := fields(a.Body)
	a = audittest.Do(t, w.handler, audittest.Request{Path: "/oauth/saml/acs", Form: again, Header: browser()})
	w.want(a, http.StatusSeeOther, "/oauth/on?t=t1", "")
	if len(w.lobby.identified) != 1 {
		t.Errorf("identified %v", w.lobby.identified)
	}
}

func TestOneOfManyPostsOfAResponseWins(t *testing.T) {
	w := newWorld(t)
	w.lobby.stay = true // the transaction alone would stop them else
	request := w.start("t1")
	response := w.reply(request.SelectAttrValue("ID", "")).encoded(t)
	const many = 50
	var group sync.WaitGroup
	for range many {
		group.Go(func() { w.post("t1", response) })
	}
	group.Wait()
	if len(w.lobby.identified) != 1 {
		t.Errorf("identified %d times", len(w.lobby.identified))
	}
	for _, code := range w.Codes(t) {
		if code != audit.IDPSamlLoginReplayDetected && code != audit.IDPSamlLoginTransactionNotFound {
			t.Errorf("event %s", code)
		}
	}
}
