package phone_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/phone"
)

const verifierChallengeState = "code-1" // the one code that the fake server redeems

func (s *fakeServer) tokens(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers(r)
	_ = r.ParseForm()
	s.grants = append(s.grants, r.PostForm)
	if !s.client(r, r.PostForm.Get) {
		reply(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	answer := map[string]any{"access_token": "AT-" + r.PostForm.Get("grant_type"), "token_type": "bearer", "expires_in": 900, "profile_id": testProfile}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		answer["access_token"] = "AT-client" + s.generation
		reply(w, 200, answer)
		return
	case "urn:onewelcome:oauth2:grant_type:implicit_authentication":
		answer["access_token"] = "AT-implicit"
		reply(w, 200, answer)
		return
	case "authorization_code":
		if r.PostForm.Get("code") != verifierChallengeState || len(r.PostForm.Get("code_verifier")) < 43 ||
			r.PostForm.Get("profile_id") != testProfile || r.PostForm.Get("redirect_uri") != "myapp://login" {
			reply(w, 400, map[string]any{"error": "invalid_grant"})
			return
		}
		s.token = vectorToken
		answer["refresh_token"] = s.token
		reply(w, 200, answer)
		return
	}
	if r.PostForm.Get("refresh_token") != s.token || r.PostForm.Get("profile_id") != testProfile {
		s.failures++
		reply(w, 400, map[string]any{"error": "invalid_grant", "remaining_attempts": s.maxPIN - s.failures})
		return
	}
	s.failures = 0
	if r.PostForm.Get("grant_type") != "refresh_token" {
		answer["finger_print_refresh_token"] = strings.Repeat("F1", 32)
	}
	sum := sha256.Sum256([]byte(s.token)) // a successor like any other
	s.token = strings.ToUpper(hexOf(sum[:]))
	answer["refresh_token"] = s.token
	reply(w, 200, answer)
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func (s *fakeServer) revoke(w http.ResponseWriter, r *http.Request) {
	s.headers(r)
	_ = r.ParseForm()
	if !s.client(r, r.PostForm.Get) {
		reply(w, 401, map[string]any{"error": "invalid_client"})
		return
	}
	r.PostForm.Del("client_assertion")
	r.PostForm.Del("client_assertion_type")
	s.revoked = append(s.revoked, strings.TrimPrefix(r.URL.Path, "/oauth/v1/")+"?"+r.PostForm.Encode())
}

func (s *fakeServer) enroll(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.public == nil {
		bearer = text(body)("access_token")
	}
	if !s.client(r, text(body)) || bearer != "AT-authorization_code" {
		reply(w, 401, map[string]any{"error": "invalid_token"})
		return
	}
	data, _ := json.Marshal(body["keys"])
	var keys []jose.JSONWebKey
	if err := json.Unmarshal(data, &keys); err != nil || len(keys) != 2 || keys[0].Use != "sig" || keys[1].Use != "enc" || !keys[0].IsPublic() || !keys[1].IsPublic() {
		s.t.Errorf("keys %s: %v", data, err)
		return
	}
	s.sign, s.enc = keys[0].Key.(*ecdsa.PublicKey), keys[1].Key.(*ecdsa.PublicKey)
	first, _ := keys[0].Thumbprint(5)
	second, _ := keys[1].Thumbprint(5)
	hash := sha256.Sum256([]byte(base64.RawURLEncoding.EncodeToString(first) + "." + base64.RawURLEncoding.EncodeToString(second)))
	claims := s.verify(text(body)("proof"), s.sign, phone.TypeEnroll, "")
	if claims["step"] != "init" || claims["client_id"] != testClientID || claims["profile_id"] != testProfile ||
		claims["keys_hash"] != base64.RawURLEncoding.EncodeToString(hash[:]) || body["push_token"] != "push-token-1" {
		s.t.Errorf("init claims %v, body %v", claims, body)
	}
	reply(w, 201, map[string]any{"enrollment_id": enrollmentID, "challenge": "k1", "expires_in": 600})
}

func (s *fakeServer) enrollKey(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	claims := s.verify(text(body)("proof"), s.sign, phone.TypeEnroll, enrollmentID)
	if body["enrollment_id"] != enrollmentID || claims["step"] != "key" || claims["challenge"] != "k1" || claims["enrollment_id"] != enrollmentID {
		reply(w, 400, map[string]any{"error": "invalid_request"})
		return
	}
	enc, sig := s.server[0].JWK("enc"), s.server[1].JWK("sig")
	enc.KeyID, sig.KeyID = "srv-enc-1", "srv-sig-1"
	reply(w, 200, map[string]any{"keys": []any{enc, sig}, "challenge": "k2"})
}

func (s *fakeServer) acknowledge(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	claims := s.verify(text(body)("proof"), s.sign, phone.TypeEnroll, enrollmentID)
	kids, _ := json.Marshal(claims["server_kids"])
	if claims["step"] != "ack" || claims["challenge"] != "k2" || string(kids) != `["srv-enc-1","srv-sig-1"]` {
		reply(w, 400, map[string]any{"error": "invalid_request"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// asClient checks the token of client credentials.
func (s *fakeServer) asClient(w http.ResponseWriter, r *http.Request) bool {
	if !s.refuseClients && r.Header.Get("Authorization") == "Bearer AT-client"+s.generation {
		return true
	}
	reply(w, 401, map[string]any{"error": "invalid_token"})
	return false
}

func (s *fakeServer) pushToken(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	if !s.asClient(w, r) {
		return
	}
	if len(body) != 2 || body["old_push_token"] != "push-token-1" || body["new_push_token"] != "push-token-2" {
		reply(w, 400, map[string]any{"error": "invalid_request"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *fakeServer) pending(w http.ResponseWriter, r *http.Request) {
	if body := s.body(r); len(body) != 0 || !s.asClient(w, r) {
		return
	}
	reply(w, 200, map[string]any{"transactions": []any{map[string]any{
		"transaction_id": vectorTransaction, "profile_id": testProfile, "message": "Sign in?", "timestamp": 1, "time_to_live": 60,
	}}})
}

// messageClaims are those of the one transaction.
func (s *fakeServer) messageClaims() jwt.MapClaims {
	s.challenge = "c1"
	claims := jwt.MapClaims{
		"iss": testIssuer, "aud": enrollmentID, "transaction_id": vectorTransaction, "user": testProfile, "iat": testNow().Unix(),
		"exp": testNow().Unix() + 60, "method": phone.MethodPIN, "answer_version": 1, "message": "Sign in?", "secure_message": "to Harbour",
		"challenge": s.challenge, "pin_fallback": true, "max_attempts": 3, "remaining_attempts": 3,
	}
	if s.version2 {
		claims["answer_version"], claims["signing_data"] = 2, vectorSigningData
	}
	return claims
}

// seal signs claims with a key and encrypts them to the device.
func (s *fakeServer) seal(claims jwt.MapClaims, signer *phone.Key, typ, kid string) string {
	signed, err := signer.Sign(phone.Claims{"typ": typ, "kid": kid}, claims)
	if err != nil {
		s.t.Fatal(err)
	}
	sealed, err := phone.Encrypt(jose.JSONWebKey{Key: s.enc, KeyID: enrollmentID}, signed)
	if err != nil {
		s.t.Fatal(err)
	}
	return sealed
}

// receive keeps a proof and tells whether the answer to it is to be lost. A repeat may come while the first is still there.
func (s *fakeServer) receive(proof string) (cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proofs = append(s.proofs, proof)
	if s.cut > 0 {
		s.cut--
		return true
	}
	return false
}

func (s *fakeServer) fetch(w http.ResponseWriter, r *http.Request) {
	proof := text(s.body(r))("proof")
	if s.receive(proof) {
		panic(http.ErrAbortHandler)
	}
	typ := phone.TypeFetch
	if strings.Contains(r.URL.Path, "/otp/") {
		typ = phone.TypeOTP
	}
	claims := s.verify(proof, s.sign, typ, enrollmentID)
	if claims["transaction_id"] != vectorTransaction || claims["user"] != testProfile || (typ == phone.TypeOTP) != (claims["otp"] == "the-code") {
		reply(w, 404, map[string]any{"error": "invalid_transaction", "error_code": "1006"})
		return
	}
	reply(w, 200, map[string]any{"message": s.seal(s.messageClaims(), s.server[1], phone.TypeMessage, "srv-sig-1")})
}

func (s *fakeServer) answer(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	answer := text(body)("answer")
	s.answers = append(s.answers, answer)
	if n := len(s.answers); n > 1 && s.answers[n-2] == answer { // byte-identical: a repeat
		reply(w, 200, map[string]any{"result": "authenticated", "transaction_id": vectorTransaction})
		return
	}
	if want := map[bool]string{false: "v1", true: "v2"}[s.version2]; r.PathValue("version") != want || body["transaction_id"] != vectorTransaction {
		reply(w, 400, map[string]any{"error": "invalid_endpoint_version"})
		return
	}
	signed := answer
	if strings.Count(answer, ".") == 4 {
		var err error
		if signed, err = phone.Decrypt(s.server[0], answer); err != nil {
			reply(w, 400, map[string]any{"error": "decryption_failed"})
			return
		}
	}
	claims := s.verify(signed, s.sign, phone.TypeAnswer, enrollmentID)
	if claims["challenge"] != s.challenge || claims["user"] != testProfile || claims["transaction_id"] != vectorTransaction {
		s.t.Errorf("answer claims %v", claims)
	}
	if claims["response"] == "deny" {
		reply(w, 200, map[string]any{"result": "denied"})
		return
	}
	if s.version2 {
		signature, _ := base64.StdEncoding.DecodeString(claims["signature"].(string))
		digest := sha256.Sum256([]byte("ts-transaction-v1\x00" + vectorTransaction + "\x00" + vectorSigningData))
		if !ecdsa.VerifyASN1(s.sign, digest[:], signature) {
			s.t.Error("transaction signature does not verify")
		}
	}
	if token, given := claims["refresh_token"]; given && strings.Count(answer, ".") != 4 {
		s.t.Errorf("token %v travelled without encryption", token)
	} else if given && token != s.token {
		s.failures++
		s.challenge = "c2"
		if s.failures == s.maxPIN {
			reply(w, 403, map[string]any{"error": "user_revoked", "used_attempts": 3, "max_attempts": 3, "remaining_attempts": 0})
			return
		}
		reply(w, 400, map[string]any{
			"error": "invalid_refresh_token", "used_attempts": s.failures, "max_attempts": s.maxPIN,
			"remaining_attempts": s.maxPIN - s.failures, "challenge": s.challenge,
		})
		return
	}
	if claims["method"] == phone.MethodFingerprint && claims["finger_print_refresh_token"] != strings.Repeat("F1", 32) {
		s.challenge = "c2"
		reply(w, 400, map[string]any{"error": "fingerprint_revoked", "pin_fallback": true, "challenge": s.challenge})
		return
	}
	reply(w, 200, map[string]any{"result": "authenticated", "transaction_id": vectorTransaction})
}
