package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// What the settings of every deployment name.
const (
	application  = "harbour"
	byAPI        = "quay" // its users are registered by API
	redirectURL  = "harbour://signed-in"
	bundleID     = "org.example.harbour"
	fcmProject   = "harbour-e2e"
	apnsTeam     = "TEAM123456"
	apnsKey      = "KEY1234567"
	signature    = "3f7a0c5519e2d84b6a9137c0fe2d5b88a4c6e1907b3d2f5544cc01aae87f9b63" // of all builds but the next
	newSignature = "9b63aae87fcc01554429f3d7b1906ec4a885bd2fe0c73791a6b48de219550c7a" // of the newer builds

	auditClient   = "auditor"       // events API
	portalClient  = "portal"        // mobile authentication
	otherPortal   = "other-portal"  // mobile authentication
	gatewayClient = "gateway"       // introspection
	quayClient    = "quay"          // user registration
	formerClient  = "quay-former"   // two-way OTP under its former scope
	webClient     = "web"           // authorization code and client credentials
	codeOnly      = "web-code-only" // authorization code without client credentials
	pkceClient    = "web-pkce"      // public, with PKCE

	typePush   = "sign-in" // PUSH, one resend
	typePIN    = "confirm" // PUSH_WITH_PIN
	typeSign   = "pay"     // PUSH_WITH_PIN with transaction signing
	typeHurry  = "hurry"   // PUSH, expires after 10 s
	pin        = "48213"   //
	wrongPIN   = "48214"   //
	webAddress = "https://web.example.org/cb"
)

// usernames of the accounts; the user id is u- and the name.
var usernames = []string{"kim", "lou", "max", "noa", "pat", "quin", "ray", "sam", "tess", "uma", "vic", "wes", "xan", "yara", "zoe"}

// world is everything outside the servers: stand-ins of the push services and of a portal, and the secrets of this run.
type world struct {
	fcm    *standin.FCM
	apns   *standin.APNs
	portal *standin.Portal
	deaf   *standin.Portal // refuses every callback
	others *outside
	sms    *standin.SMSGateway

	registrar *standin.Registrar // decides about registrations by API

	secret   string // of all clients
	password string // of all accounts
	account  []byte // FCM service account
	key      []byte // APNs key, .p8
}

// newWorld starts the stand-ins on free ports.
func newWorld() (w *world, err error) {
	w = &world{secret: randomText(24), password: randomText(12)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.fcm, err = standin.StartFCM(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.apns, err = standin.StartAPNs(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.portal, err = standin.StartPortal(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.deaf, err = standin.StartPortal(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.registrar, err = standin.StartRegistrar(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.sms, err = standin.StartSMSGateway(time.Now); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	if w.others, err = startOutside(); err != nil {
		return w, fmt.Errorf("start the stand-ins: %w", err)
	}
	w.deaf.FailNext(math.MaxInt, http.StatusForbidden)
	if w.account, err = w.fcm.NewServiceAccount(fcmProject); err != nil {
		return w, fmt.Errorf("make a service account: %w", err)
	}
	if w.key, err = w.apns.NewKey(apnsTeam, apnsKey); err != nil {
		return w, fmt.Errorf("make an APNs key: %w", err)
	}
	return w, nil
}

func (w *world) close() error {
	var errs []error
	if w.fcm != nil {
		errs = append(errs, w.fcm.Close())
	}
	if w.apns != nil {
		errs = append(errs, w.apns.Close())
	}
	if w.registrar != nil {
		errs = append(errs, w.registrar.Close())
	}
	if w.sms != nil {
		errs = append(errs, w.sms.Close())
	}
	if w.others != nil {
		errs = append(errs, w.others.close())
	}
	for _, portal := range []*standin.Portal{w.portal, w.deaf} {
		if portal != nil {
			errs = append(errs, portal.Close())
		}
	}
	return errors.Join(errs...)
}

// object is a JSON object; JSON is YAML, too.
type object = map[string]any

// settings is the settings document. change may alter it before it is written; nil: nothing.
func (w *world) settings(change func(object)) ([]byte, error) {
	users := make([]object, len(usernames))
	for i, name := range usernames {
		users[i] = object{
			"id": "u-" + name, "username": name, "password": w.password,
			"attributes": object{"name": strings.ToUpper(name[:1]) + name[1:] + " of Harbour", "email": name + "@example.org"},
		}
	}
	users[len(users)-1]["attributes"] = fullAttributes() // of rpUser
	document := object{
		"features":              object{"mobile_authentication": true},
		"mobile_authentication": object{"push_enrollment_mode": "MULTIPLE_DEVICES"},
		"scopes": []object{
			{"id": "openid", "persistent_consent": true, "descriptions": object{"en": "Know who you are", "nl": "Weten wie u bent"}},
			{"id": "read", "persistent_consent": true, "descriptions": object{"en": "See your accounts", "nl": "Uw rekeningen bekijken"}},
			{"id": "pay", "descriptions": object{"en": "Pay from your accounts"}},
			{"id": "unused"},
			{"id": "vault", "authentication_level": 3},
		},
		"pin_policies":       []object{{"name": "usual", "default": true, "length": len(pin), "max_similar_digits": 3}},
		"identity_providers": append(w.apiProviders(), object{"id": "accounts", "name": "Harbour accounts", "type": "ACCOUNTS", "default": true}, headerProvider()),
		"os_rules":           []object{{"platform": "android", "minimum_version": "8", "blocked_versions": []string{"13.0.1"}}},
		"push_configurations": []object{
			{"id": "fcm", "platform": "android", "service_account": string(w.account)},
			{"id": "apns", "platform": "ios", "team_id": apnsTeam, "key_id": apnsKey, "signing_key": string(w.key)},
		},
		"applications":         w.applications(),
		"web_clients":          append(w.webClients(), w.relyingParties()...),
		"api_clients":          w.apiClients(),
		"authentication_types": authenticationTypes(),
		"callbacks": []object{
			{"url": w.portal.CallbackURL(), "signing_secret": w.portal.Secret()},
			{"url": w.deaf.CallbackURL(), "signing_secret": w.deaf.Secret()},
		},
		"users":        users,
		"sms_gateways": []object{{"id": "http", "url": w.sms.URL(), "username": standin.SMSGatewayUser, "password": standin.SMSGatewayPassword}},
	}
	if change != nil {
		change(document)
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	return text, nil
}

// apiProviders are the identity providers that apps reach by API, and the page of two codes.
func (w *world) apiProviders() []object {
	custom := object{"endpoint": w.registrar.URL(), "signing_secret": w.registrar.Secret(), "back_channel": true}
	return []object{
		{"id": "one-step", "type": "CUSTOM_API_ONE_STEP", "namespace": "quay", "custom": custom},
		{"id": "two-steps", "type": "CUSTOM_API_TWO_STEP", "namespace": "quay", "custom": custom},
		{"id": "codes", "type": "TWO_WAY_OTP_API", "namespace": "quay"},
		{"id": "codes-page", "type": "TWO_WAY_OTP", "namespace": "quay"},
	}
}

func authenticationTypes() []object {
	return []object{
		{"name": typePush, "method": "PUSH", "expires_in": 300, "max_resends": 1, "default_messages": object{"en": "Sign in to Harbour?", "nl": "Aanmelden bij Harbour?"}},
		{"name": typePIN, "method": "PUSH_WITH_PIN", "expires_in": 300, "max_resends": 1},
		{"name": typeSign, "method": "PUSH_WITH_PIN", "expires_in": 300, "max_resends": 1, "transaction_signing": true},
		{"name": typeHurry, "method": "PUSH", "expires_in": 10, "max_resends": 1},
	}
}

func (w *world) applications() []object {
	version := func(platform, version string, more object) object {
		o := object{"platform": platform, "version": version, "application_signatures": []string{signature}, "push_configuration": "fcm"}
		if platform == phone.IOS {
			o["push_configuration"], o["bundle_identifier"] = "apns", bundleID
		}
		for name, value := range more {
			o[name] = value
		}
		return o
	}
	app := func(id string, more object, versions ...object) object {
		o := object{
			"id": id, "name": "Harbour (" + id + ")", "redirect_url": redirectURL, "max_pin_failures": 3, "access_token_expires_in": 900,
			"default_scopes": []string{"openid", "read"}, "additional_scopes": []string{"pay"}, "identity_provider": "accounts",
			"anonymous_resource_calls": true, "fingerprint_authentication": true, "implicit_authentication": true, "versions": versions,
		}
		for name, value := range more {
			o[name] = value
		}
		return o
	}
	return []object{
		app(application, object{"app_to_web_urls": []string{webAddress}, "additional_scopes": []string{"pay", scopeApprove}},
			version(phone.Android, "1.0.0", nil),
			version(phone.Android, "1.1.0", object{"application_signatures": []string{newSignature}}),
			version(phone.Android, "0.9.0", object{"status": "DISABLED"}),
			version(phone.Android, "0.9.5", object{"status": "LOGIN_ONLY"}),
			version(phone.Android, "3.0.0", object{"integrity_level": "NONE"}),
			version(phone.Android, "3.1.0", object{"integrity_level": "NONE"}),
			version(phone.Android, "4.0.0", object{"tampering_protection": true}),
			version(phone.Android, "5.0.0", object{"push_configuration": ""}),
			version(phone.IOS, "1.0.0", object{"send_badge_number": true}),
		),
		app(byAPI, object{
			"identity_provider": "one-step", "additional_identity_providers": []string{"two-steps", "codes", "codes-page"},
			"stateless_authentication": true, "skip_consent": true,
		}, version(phone.Android, "1.0.0", nil)),
		app("development", object{"development_mode": true}, version(phone.Android, "1.0.0", nil)),
		app("keys-only", object{"min_api_version": 2}, version(phone.Android, "1.0.0", nil)),
		app("no-flows", object{"user_registration": false, "anonymous_resource_calls": false}, version(phone.Android, "1.0.0", nil)),
		app("short-codes", object{"access_grant_expires_in": 1, "access_token_expires_in": 30}, version(phone.Android, "1.0.0", nil)),
	}
}

func (w *world) webClients() []object {
	client := func(id string, more object) object {
		o := object{
			"client_id": id, "client_secret": w.secret, "grant_types": []string{"AUTHORIZATION_CODE", "CLIENT_CREDENTIALS"},
			"redirect_urls": []string{webAddress}, "default_scopes": []string{"openid", "read"}, "additional_scopes": []string{"pay"},
			"refresh_token_enabled": true, "identity_provider": "accounts",
		}
		for name, value := range more {
			o[name] = value
		}
		return o
	}
	return []object{
		client(webClient, nil),
		client(codeOnly, object{"grant_types": []string{"AUTHORIZATION_CODE"}}),
		client(pkceClient, object{"client_authentication_method": "PKCE", "client_secret": nil, "grant_types": []string{"AUTHORIZATION_CODE"}}),
		client("web-machine", object{"grant_types": []string{"CLIENT_CREDENTIALS"}, "default_scopes": []string{"read"}, "refresh_token_enabled": false}),
		client("web-disabled", object{"disabled": true}),
	}
}

func (w *world) apiClients() []object {
	client := func(id string, scopes ...string) object {
		return object{"client_id": id, "name": id, "client_secret": w.secret, "scopes": scopes}
	}
	return []object{
		client(auditClient, "onegini_api_events"),
		client(portalClient, "onegini_api_mobile_authentication"),
		client(otherPortal, "onegini_api_mobile_authentication"),
		client(gatewayClient, "onegini_api_token_introspection"),
		client(quayClient, "onegini_api_user_registration"),
		client(formerClient, "onegini_api_two_way_otp"),
	}
}

// android and ios are the apps of most tests.
func android() phone.App {
	return phone.App{
		Identifier: application, Platform: phone.Android, Version: "1.0.0", OSVersion: "14", Model: "Test phone", APIVersion: phone.APIKey,
		Signature: signature, RedirectURL: redirectURL,
	}
}

func ios() phone.App {
	app := android()
	app.Platform, app.OSVersion = phone.IOS, "17.4"
	return app
}

// androidDevice makes a push token that the stand-in of FCM knows.
func (w *world) androidDevice() string {
	token := "device-" + randomText(24)
	w.fcm.AddDevice(token, fcmProject)
	return token
}

// iosDevice makes a push token that the stand-in of APNs knows.
func (w *world) iosDevice() string {
	token := randomHex(32)
	w.apns.AddDevice(token, bundleID)
	return token
}

// randomText returns n random bytes as base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// randomHex returns n random bytes in lower-case hex; 32 of them look like a token.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return fmt.Sprintf("%x", b)
}

// save writes a file that only we can read.
func save(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
