package oauth_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"tokenserver/internal/audittest"
)

// Whatever stands in the Authorization header: the answer is a refusal with an event, never a fault of the server.
func FuzzAuthorizationHeader(f *testing.F) {
	k := newKit(f)
	for _, seed := range []string{
		"", "Basic", "Basic ", "Basic !", "basic c2hvcDp4", "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:x")), "Bearer x",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:%")), "Basic " + base64.StdEncoding.EncodeToString([]byte(":")),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("a:b:c")), "Digest username=x", "Basic\tx", "Basic \xff\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got := audittest.Do(t, k.h, audittest.Request{
			Path: "/oauth/v1/token", Header: http.Header{"Authorization": {header}},
			Form: pairs("grant_type", "client_credentials"),
		})
		if got.Status != http.StatusUnauthorized && got.Status != http.StatusTooManyRequests {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if events := k.Events(t); got.Status == http.StatusUnauthorized && len(events) != 1 {
			t.Errorf("events %+v", events)
		}
	})
}
