package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tokenserver/phone"
)

// TestNodeClients: OpenID clients from npm, unchanged, do all that they can do with this server.
func TestNodeClients(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openid-client", "oauth4webapi"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := cluster(t)
			rp := newRelyingParty(t, d, rpBasic)
			rp.converse(startScript(t, name+".mjs"), object{
				"issuer": d.base, "secret": d.world.secret, "redirect": rpRedirect, "loopback": rpLoopback, "loggedOut": rpLoggedOut,
				"email": rpUser + "@example.org", "client": rpBasic, "publicClient": rpNative, "keyClient": rpKey, "device": rpDevice,
				"machine": "web-machine", "gateway": gatewayClient, "key": d.world.others.key.private(),
				"headers": object{transactionHeader: rp.begin(), "X-Forwarded-For": rp.address},
			})
		})
	}
}

// converse gives a script its task and opens in the browser what it asks for, until it is done.
func (rp *relyingParty) converse(s *script, task object) {
	rp.t.Helper()
	s.say(task)
	for {
		said := s.hear()
		if said["done"] == true {
			return
		}
		address, _ := said["open"].(string)
		back, err := rp.person.Open(rp.t.Context(), address, leadsBack(address))
		if errors.Is(err, phone.ErrLost) && rp.status() == http.StatusOK { // a page at which the journey ends
			back, err = address, nil
		}
		if err != nil {
			rp.t.Fatalf("in the browser: %v", err)
		}
		s.say(object{"url": back})
	}
}

// leadsBack is how the address begins to which the browser is sent in the end.
func leadsBack(address string) string {
	if strings.Contains(address, "127.0.0.1%2Fcb") {
		return rpLoopback
	}
	return "https://rp.example.org/"
}

// partyKey is the key pair of a relying party that authenticates with it.
type partyKey struct{ key *ecdsa.PrivateKey }

func newPartyKey() (*partyKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return &partyKey{key}, nil
}

// public is the JWK without its secret.
func (k *partyKey) public() object {
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		panic(err) // a P-256 key always has these bytes
	}
	return object{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "rp-1",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
}

// private is the whole JWK.
func (k *partyKey) private() object {
	jwk := k.public()
	secret, err := k.key.Bytes()
	if err != nil {
		panic(err) // a P-256 key always has these bytes
	}
	jwk["d"] = base64.RawURLEncoding.EncodeToString(secret)
	delete(jwk, "use")
	return jwk
}
