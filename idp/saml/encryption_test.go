package saml_test

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/beevik/etree"

	"tokenserver/audit"
	"tokenserver/internal/settings"
)

// sealing is how a provider encrypts an assertion.
type sealing struct {
	method  string
	size    int
	wrap    string // method of the key
	extra   string // children of its EncryptionMethod
	hash    crypto.Hash
	to      keyPair
	aside   bool // the key stands beside the data
	tamper  bool
	pkcs1v1 bool
}

const (
	enc   = "http://www.w3.org/2001/04/xmlenc#"
	enc11 = "http://www.w3.org/2009/xmlenc11#"
)

func gcm() sealing {
	return sealing{method: enc11 + "aes256-gcm", size: 32, wrap: enc + "rsa-oaep-mgf1p", hash: crypto.SHA1, to: ourSecrets()}
}

func cbc() sealing {
	s := gcm()
	s.method, s.size = enc+"aes128-cbc", 16
	return s
}

// encrypted writes an EncryptedAssertion.
func (s sealing) encrypted(t *testing.T, clear string) *etree.Element {
	t.Helper()
	key := make([]byte, s.size)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	if s.method == enc+"aes128-cbc" || s.method == enc+"aes256-cbc" {
		padding := aes.BlockSize - len(clear)%aes.BlockSize
		text := append([]byte(clear), make([]byte, padding)...)
		text[len(text)-1] = byte(padding)
		iv := make([]byte, aes.BlockSize)
		rand.Read(iv)
		sealed = append(sealed, iv...)
		out := make([]byte, len(text))
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, text)
		sealed = append(sealed, out...)
	} else {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, aead.NonceSize())
		rand.Read(nonce)
		sealed = aead.Seal(nonce, nonce, []byte(clear), nil)
	}
	if s.tamper {
		sealed[len(sealed)/2] ^= 1
	}
	wrapped, err := rsa.EncryptOAEP(s.hash.New(), rand.Reader, &s.to.key.PublicKey, key, nil)
	if s.pkcs1v1 {
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, &s.to.key.PublicKey, key) //nolint:staticcheck // what is refused has to be made first
	}
	if err != nil {
		t.Fatal(err)
	}
	keyElement := `<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="` + s.wrap + `">` + s.extra + `</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>` +
		base64.StdEncoding.EncodeToString(wrapped) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>`
	inside, aside := `<ds:KeyInfo>`+keyElement+`</ds:KeyInfo>`, ""
	if s.aside {
		inside, aside = "", keyElement
	}
	return element(t, `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xenc="`+enc+`" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:xenc11="`+enc11+`">`+
		`<xenc:EncryptedData><xenc:EncryptionMethod Algorithm="`+s.method+`"/>`+inside+`<xenc:CipherData><xenc:CipherValue>`+
		base64.StdEncoding.EncodeToString(sealed)+`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`+aside+`</saml:EncryptedAssertion>`)
}

func TestEncryptedAssertions(t *testing.T) {
	with := func(s sealing, change func(*sealing)) sealing {
		change(&s)
		return s
	}
	const sealedReason, unsigned = "assertion cannot be decrypted", "not signed"
	for _, tc := range []struct {
		name    string
		sealing sealing
		sign    string // as in reply; "response" leaves the assertion without a signature
		plain   bool   // not encrypted at all
		content func(t *testing.T, r reply) string
		reason  string // "" = signed in
	}{
		{name: "AES-GCM, assertion signed", sealing: gcm(), sign: "assertion"},
		{name: "AES-GCM, response signed", sealing: gcm(), sign: "response"},
		{name: "AES-GCM, both signed", sealing: gcm(), sign: "both"},
		{name: "AES-128-GCM", sealing: with(gcm(), func(s *sealing) { s.method, s.size = enc11+"aes128-gcm", 16 }), sign: "assertion"},
		{name: "key beside the data", sealing: with(gcm(), func(s *sealing) { s.aside = true }), sign: "assertion"},
		{name: "RSA-OAEP with SHA-256", sealing: with(gcm(), func(s *sealing) {
			s.wrap, s.hash = enc11+"rsa-oaep", crypto.SHA256
			s.extra = `<ds:DigestMethod Algorithm="` + enc + `sha256"/><xenc11:MGF Algorithm="` + enc11 + `mgf1sha256"/>`
		}), sign: "assertion"},
		{name: "AES-CBC in a signed response", sealing: cbc(), sign: "response"},
		{name: "AES-CBC in a response that is not signed", sealing: cbc(), sign: "assertion", reason: sealedReason},
		{name: "nothing signed", sealing: gcm(), sign: "", reason: unsigned},
		{name: "not encrypted", plain: true, sign: "both", reason: "assertion is not encrypted"},
		{name: "to another key", sealing: with(gcm(), func(s *sealing) { s.to = otherKeys() }), sign: "both", reason: sealedReason},
		{name: "changed on the way", sealing: with(gcm(), func(s *sealing) { s.tamper = true }), sign: "assertion", reason: sealedReason},
		{name: "key by RSAES-PKCS1-v1_5", sealing: with(gcm(), func(s *sealing) { s.wrap, s.pkcs1v1 = enc+"rsa-1_5", true }), sign: "both", reason: sealedReason},
		{name: "key of the wrong size", sealing: with(gcm(), func(s *sealing) { s.size = 16 }), sign: "both", reason: sealedReason},
		{name: "Triple DES", sealing: with(gcm(), func(s *sealing) { s.method = enc + "tripledes-cbc" }), sign: "both", reason: sealedReason},
		{
			name: "document type inside", sealing: gcm(), sign: "response", reason: sealedReason,
			content: func(_ *testing.T, r reply) string { return "<!DOCTYPE x>" + r.assertion() },
		},
		{
			name: "something else inside", sealing: gcm(), sign: "response", reason: sealedReason,
			content: func(*testing.T, reply) string { return "<a/>" },
		},
		{
			name: "two assertions inside", sealing: gcm(), sign: "response", reason: "not exactly one assertion",
			content: func(t *testing.T, r reply) string {
				outer := element(t, r.assertion())
				r.assertionID = "_inner"
				outer.AddChild(element(t, r.assertion()))
				return text(t, outer)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(d *settings.Document) {
				d.SAML.EncryptAssertions = true
				d.SAML.DecryptionKey, d.SAML.DecryptionCertificate = ourSecrets().private(), ourSecrets().public()
			})
			request := w.start("t1")
			r := w.reply(request.SelectAttrValue("ID", ""))
			r.sign = tc.sign
			response := r.document(t)
			if !tc.plain {
				response = r.enclosed(t, tc.sealing, tc.content)
			}
			a := w.post("t1", encode(text(t, response)))
			if tc.reason == "" {
				w.want(a, http.StatusSeeOther, "/oauth/on?t=t1", "")
				if len(w.lobby.identified) != 1 || w.lobby.identified[0].UserID != "ann" {
					t.Errorf("identified %v", w.lobby.identified)
				}
				return
			}
			events := w.want(a, http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
			if want := `{"idp":"bank","reason":"` + tc.reason + `"}`; events[0].Details != want || len(w.lobby.identified) != 0 {
				t.Errorf("details %s, want %s", events[0].Details, want)
			}
		})
	}
}

// enclosed writes a response with an encrypted assertion: signed before it is encrypted, the response afterwards.
func (r reply) enclosed(t *testing.T, s sealing, inside func(*testing.T, reply) string) *etree.Element {
	t.Helper()
	sign := r.sign
	assertion := element(t, r.assertion())
	if sign == "assertion" || sign == "both" {
		assertion = r.signed(t, assertion)
	}
	clear := text(t, assertion)
	if inside != nil {
		clear = inside(t, r)
	}
	r.noAssertion, r.sign = true, ""
	response := r.document(t)
	response.AddChild(s.encrypted(t, clear))
	if sign == "response" || sign == "both" {
		response = r.signed(t, response)
	}
	return response
}

// TestNoDecryptionKey: an encrypted assertion without a key to open it is our own fault, and found out only then.
func TestNoDecryptionKey(t *testing.T) {
	w := newWorld(t)
	request := w.start("t1")
	r := w.reply(request.SelectAttrValue("ID", ""))
	a := w.post("t1", encode(text(t, r.enclosed(t, gcm(), nil))))
	w.want(a, http.StatusSeeOther, back("server_error", unusable, "Responder"), "", audit.IDPSamlLoginFailed)
}
