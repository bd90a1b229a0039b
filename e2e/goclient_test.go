package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"tokenserver/phone"
)

// TestGoClients: golang.org/x/oauth2 and coreos/go-oidc, unchanged, do all that they can do with this server.
func TestGoClients(t *testing.T) {
	t.Parallel()
	d := cluster(t)
	t.Run("sign-in, userinfo, refresh", func(t *testing.T) {
		t.Parallel()
		goSignIn(newRelyingParty(t, d, rpBasic), d.world.secret)
	})
	t.Run("public client on a loopback port", func(t *testing.T) {
		t.Parallel()
		rp := newRelyingParty(t, d, rpNative)
		rp.redirect = "http://127.0.0.1:49152/cb" // RFC 8252 §7.3: any port
		goSignIn(rp, "")
	})
	t.Run("client credentials", func(t *testing.T) {
		t.Parallel()
		rp := newRelyingParty(t, d, "web-machine")
		ctx, provider := rp.provider()
		config := clientcredentials.Config{ClientID: rp.id, ClientSecret: d.world.secret, TokenURL: provider.Endpoint().TokenURL}
		got, err := config.Token(ctx)
		if err != nil || got.AccessToken == "" {
			t.Fatalf("%v", err)
		}
	})
	t.Run("device", func(t *testing.T) {
		t.Parallel()
		goDevice(newRelyingParty(t, d, rpDevice))
	})
}

// goSignIn: code flow with PKCE and nonce; the library checks the ID token; a token source refreshes by itself.
func goSignIn(rp *relyingParty, secret string) {
	rp.t.Helper()
	ctx, provider := rp.provider()
	config := oauth2.Config{
		ClientID: rp.id, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: rp.redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
	verifier, state, nonce := oauth2.GenerateVerifier(), randomText(16), randomText(16)
	address := config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	opened, err := rp.person.Open(ctx, address, rp.redirect)
	if err != nil {
		rp.t.Fatal(err)
	}
	back, err := url.Parse(opened)
	if err != nil || back.Query().Get("state") != state {
		rp.t.Fatalf("came back to %s, %v", opened, err)
	}
	got, err := config.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		rp.t.Fatal(err)
	}
	text, _ := got.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: rp.id}).Verify(ctx, text)
	if err != nil || id.Nonce != nonce || id.VerifyAccessToken(got.AccessToken) != nil {
		rp.t.Fatalf("ID token: %v", err)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(got))
	if err != nil || info.Subject != id.Subject || info.Email != rpUser+"@example.org" || !info.EmailVerified {
		rp.t.Fatalf("userinfo: %+v, %v", info, err)
	}
	got.Expiry = time.Now().Add(-time.Minute)
	next, err := config.TokenSource(ctx, got).Token()
	if err != nil || next.AccessToken == got.AccessToken || next.RefreshToken == got.RefreshToken {
		rp.t.Fatalf("refresh: %v", err)
	}
}

// goDevice: the library polls while the user signs in at the address that it shows.
func goDevice(rp *relyingParty) {
	rp.t.Helper()
	ctx, provider := rp.provider()
	config := oauth2.Config{ClientID: rp.id, Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID}}
	started, err := config.DeviceAuth(ctx)
	if err != nil {
		rp.t.Fatal(err)
	}
	done := make(chan error, 1)
	var got *oauth2.Token
	go func() {
		var err error
		got, err = config.DeviceAccessToken(ctx, started)
		done <- err
	}()
	rp.person.Consent = true
	if err := rp.approve(ctx, started.VerificationURIComplete); err != nil {
		rp.t.Fatal(err)
	}
	if err := <-done; err != nil {
		rp.t.Fatal(err)
	}
	if id, _ := got.Extra("id_token").(string); id == "" || got.AccessToken == "" {
		rp.t.Error("tokens are missing")
	}
}

// approve opens the address of a device login and agrees to it. The journey ends on a page of the server.
func (rp *relyingParty) approve(ctx context.Context, address string) error {
	_, err := rp.person.Open(ctx, address, "end://nowhere")
	if errors.Is(err, phone.ErrLost) && rp.status() == http.StatusOK {
		return nil
	}
	return err
}
