package saml_test

import (
	"net/http"
	"strings"
	"testing"

	"tokenserver/idp/saml"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

func TestNewPairSigns(t *testing.T) {
	w := newWorld(t)
	key, certificate, err := saml.NewPair("ts.example", w.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.doc.SAML.SigningKey, w.doc.SAML.SigningCertificate = settings.NewSecret(key), certificate
	w.Settings.Set(w.doc)
	w.start("t1")
	ours := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/metadata"})
	body := strings.NewReplacer("-----BEGIN CERTIFICATE-----", "", "-----END CERTIFICATE-----", "", "\n", "").Replace(certificate)
	if ours.Status != http.StatusOK || !strings.Contains(ours.Body, body) {
		t.Errorf("%d %s", ours.Status, ours.Body)
	}
}
