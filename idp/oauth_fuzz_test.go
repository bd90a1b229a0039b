package idp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
)

// FuzzCallback: whatever stands in the query, without the state of the transaction it is a page and one event.
func FuzzCallback(f *testing.F) {
	s := newAbroad(f)
	s.hall.open("t1", "oidc", nil)
	for _, seed := range []string{
		"", "state=", "state=t1", "state=t1.x.y&code=z", "state=t1." + strings.Repeat("A", 43) + "." + strings.Repeat("A", 43), "state=%zz",
		"state=a&state=b", "error=x", "state=%00", "&&&", "code=" + strings.Repeat("c", 9000), "state=..", "state=t1.%ff.%fe", "state=x;y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/oauth/oauth-idp/callback", nil)
		request.URL.RawQuery = query
		request.Header.Set("Cookie", "browser=ann's")
		recorder := httptest.NewRecorder()
		s.handler.ServeHTTP(recorder, request)
		answered(t, audittest.Answer{Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.String()}, pageGone)
		recorded(t, s.Env, codes(audit.IDPOauthStateMismatch))
		s.hall.nobodyKnown(t)
	})
}
