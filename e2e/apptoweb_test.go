package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokenserver/phone"
)

const (
	scopeApprove = "access:device-authorization:approve"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// inApp is a user who is signed in to the app, and whose app has an access token that may do everything.
func (b *traveller) inApp(user string) (access string) {
	b.t.Helper()
	p := b.registered(android())
	b.quietly("sign in", func(ctx context.Context) error {
		tokens, err := p.SignIn(ctx, phone.NewProfileID(), pin, []string{"openid", "read", scopeApprove}, b.person(user))
		if err == nil {
			access = tokens.AccessToken
		}
		return err
	})
	return access
}

// got is a request of the step, whose answer must have a status; into gets its body.
func (a *actor) got(ctx context.Context, r request, status int, into any) error {
	got, err := a.try(ctx, r)
	if err != nil {
		return err
	}
	if got.status != status {
		return fmt.Errorf("%d %s, want %d", got.status, got.body, status)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(got.body, into)
}

// TestAppToWeb: who is signed in to the app is signed in at the browser too, once for each link.
func TestAppToWeb(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *deployment{"embedded": embedded, "cluster": cluster} {
		t.Run(name, func(t *testing.T) {
			b := newTraveller(t, start(t))
			access := b.inApp("uma")
			entry := func(target string) request {
				return request{path: "/v1/app-to-web", bearer: access, form: url.Values{"target_url": {target}}}
			}
			b.step("an address that is not registered", "APP_TO_WEB_SSO_APP_TO_WEB_SSO_TARGET_URL_NOT_CONFIGURED", func(ctx context.Context) error {
				return b.got(ctx, entry(webAddress+"/elsewhere"), http.StatusBadRequest, nil)
			})
			var link struct {
				Page string `json:"redirect_uri"`
			}
			b.step("link", "APP_TO_WEB_SSO_TOKEN_CREATED", func(ctx context.Context) error {
				return b.got(ctx, entry(webAddress), http.StatusOK, &link)
			})
			var page stop
			b.step("page", "", func(context.Context) error {
				page = b.visit(link.Page, nil)
				if page.status != http.StatusOK || !strings.Contains(page.page, "uma") && !strings.Contains(page.page, "Uma") {
					return fmt.Errorf("%d %s", page.status, page.page)
				}
				return nil
			})
			b.step("in the browser", "APP_TO_WEB_SSO_SIGNED_IN", func(context.Context) error {
				if at := b.submit(page); at.address.String() != webAddress {
					return fmt.Errorf("at %s: %d %s", at.address, at.status, at.page)
				}
				return nil
			})
			b.step("without signing in again", "", func(context.Context) error {
				at := b.visit(b.d.base+"/v1/authorize?"+url.Values{
					"response_type": {"code"}, "client_id": {webClient}, "redirect_uri": {webAddress}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
				}.Encode(), nil)
				if !strings.HasSuffix(at.address.Path, "/consent") {
					return fmt.Errorf("at %s: %d %s", at.address, at.status, at.page)
				}
				return nil
			})
			b.step("the link again", "APP_TO_WEB_SSO_FAILED", func(context.Context) error {
				if at := b.submit(b.visit(link.Page, nil)); at.status != http.StatusBadRequest {
					return fmt.Errorf("at %s: %d %s", at.address, at.status, at.page)
				}
				return nil
			})
		})
	}
}

// TestDeviceApprovedInTheApp: the app agrees in place of the pages, and the device gets tokens of its user once.
func TestDeviceApprovedInTheApp(t *testing.T) {
	b := newTraveller(t, cluster(t))
	access := b.inApp("uma")
	var started struct {
		Device string `json:"device_code"`
		User   string `json:"user_code"`
	}
	b.step("start", "DEVICE_AUTHZ_REQUEST_DEVICE_CODE_CREATED", func(ctx context.Context) error {
		return b.got(ctx, request{path: "/device_authorization", form: url.Values{"client_id": {rpDevice}}}, http.StatusOK, &started)
	})
	approve := func(bearer, code string, status int) func(context.Context) error {
		return func(ctx context.Context) error {
			return b.got(ctx, request{path: "/device_authorization/approve", bearer: bearer, form: url.Values{"user_code": {code}}}, status, nil)
		}
	}
	b.step("unknown token", "TOKEN_REQUEST_INVALID_BEARER_TOKEN", approve(randomHex(32), started.User, http.StatusUnauthorized))
	b.step("approve", "AUTHZ_REQUEST_DEVICE_GRANT_CREATED", approve(access, strings.ToLower(started.User[:4])+"-"+started.User[4:], http.StatusNoContent))
	b.step("approve again", "DEVICE_AUTHZ_APPROVAL_REFUSED", approve(access, started.User, http.StatusConflict))
	poll := request{path: "/v1/token", form: url.Values{"grant_type": {grantDevice}, "client_id": {rpDevice}, "device_code": {started.Device}}}
	var got tokens
	b.step("poll", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(ctx context.Context) error {
		return b.got(ctx, poll, http.StatusOK, &got)
	})
	if got.Access == "" || got.ID == "" {
		t.Errorf("tokens are missing: %+v", got)
	}
	b.step("poll again", "TOKEN_REQUEST_INVALID_GRANT", func(ctx context.Context) error {
		return b.got(ctx, poll, http.StatusBadRequest, nil)
	})
}
