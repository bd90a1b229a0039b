package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Metadata is where the endpoints of a provider are.
type Metadata struct {
	Issuer        string // "" = plain OAuth
	Authorization string
	Token         string
	Profile       string // userinfo endpoint; "" = none
	KeySet        string // "" = plain OAuth
	EndSession    string // "" = none
	NamesIssuer   bool   // every authorization response carries iss (RFC 9207 §3)
}

// How long a discovery document is used.
const (
	shortestLife = time.Minute
	usualLife    = time.Hour
	longestLife  = 24 * time.Hour
	patience     = 5 * time.Second // after a failure, before the next try
)

// Directory remembers the discovery documents of OpenID providers. While a provider does not answer, its last document is
// used for up to a day. Every field is required. Safe for concurrent use.
type Directory struct {
	HTTP *http.Client // of package outbound, purpose provider
	Now  func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what is known of one issuer; one request at a time asks for it.
type entry struct {
	mu sync.Mutex

	metadata Metadata
	fetched  time.Time
	until    time.Time // the document is fresh before
	again    time.Time // no further try before
	failure  error
}

// Metadata returns the endpoints of a provider. Errors: *Refusal.
func (d *Directory) Metadata(ctx context.Context, p Provider) (Metadata, error) {
	if !p.OpenID() {
		return Metadata{Authorization: p.Authorization, Token: p.Token, Profile: p.Profile}, nil
	}
	e := d.entry(p.Issuer)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := d.Now()
	if now.Before(e.until) {
		return e.metadata, nil
	}
	if !now.Before(e.again) {
		d.refresh(ctx, p.Issuer, e)
	}
	if e.failure != nil && (e.fetched.IsZero() || d.Now().Sub(e.fetched) > longestLife) {
		return Metadata{}, e.failure
	}
	return e.metadata, nil
}

func (d *Directory) entry(issuer string) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.entries[issuer]
	if e == nil {
		if d.entries == nil {
			d.entries = map[string]*entry{}
		}
		e = &entry{}
		d.entries[issuer] = e
	}
	return e
}

// refresh reads the document anew. Others wait for it, so it does not end with the request that began it.
func (d *Directory) refresh(ctx context.Context, issuer string, e *entry) {
	metadata, life, err := d.fetch(context.WithoutCancel(ctx), issuer)
	now := d.Now()
	if err != nil {
		e.failure, e.again = err, now.Add(patience)
		return
	}
	e.metadata, e.fetched, e.until, e.failure = metadata, now, now.Add(life), nil
}

// fetch reads and checks the document (OpenID Connect Discovery §4).
func (d *Directory) fetch(ctx context.Context, issuer string) (Metadata, time.Duration, error) {
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Metadata{}, 0, refuseBecause("issuer is no URL", err)
	}
	members, status, header, err := object(d.HTTP, request)
	if err != nil {
		return Metadata{}, 0, fmt.Errorf("discovery: %w", err)
	}
	if status != http.StatusOK {
		return Metadata{}, 0, &Refusal{Reason: "discovery refused", Status: status}
	}
	m, err := metadataOf(issuer, members)
	return m, lifeOf(header), err
}

// metadataOf reads a discovery document. An issuer that names another one could speak for it, so both must be equal.
func metadataOf(issuer string, members map[string]any) (Metadata, error) {
	m := Metadata{
		Issuer: issuer, Authorization: text(members, "authorization_endpoint"), Token: text(members, "token_endpoint"),
		Profile: text(members, "userinfo_endpoint"), KeySet: text(members, "jwks_uri"), EndSession: text(members, "end_session_endpoint"),
	}
	m.NamesIssuer, _ = members["authorization_response_iss_parameter_supported"].(bool)
	if text(members, "issuer") != issuer {
		return Metadata{}, refuse("discovery of another issuer")
	}
	for _, endpoint := range []struct {
		address  string
		required bool
	}{{m.Authorization, true}, {m.Token, true}, {m.KeySet, true}, {m.Profile, false}, {m.EndSession, false}} {
		if endpoint.address == "" && !endpoint.required {
			continue
		}
		if !usable(endpoint.address) {
			return Metadata{}, refuse("discovery without usable endpoints")
		}
	}
	return m, nil
}

// usable accepts https, and plain http on the machine itself, for development.
func usable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	host, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && err == nil && host.IsLoopback()
}

// lifeOf is how long an answer may be kept: its max-age within a minute and a day, an hour when it has none.
func lifeOf(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return shortestLife
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				return min(max(time.Duration(seconds)*time.Second, shortestLife), longestLife)
			}
		}
	}
	return usualLife
}
