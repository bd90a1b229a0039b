package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// What the demo's settings name.
const (
	application   = "harbour"
	redirectURL   = "harbour://signed-in"
	userID        = "u-5501"
	username      = "kim"
	portalClient  = "harbour-portal"
	gatewayClient = "harbour-gateway"
	fcmProject    = "harbour-demo"
	pushToken     = "demo-device-registration-token-of-the-virtual-phone"
	signature     = "3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63"
	typeWithPIN   = "confirm"
	typePlain     = "sign-in"
)

// PIN is what the user of the demo chose. It never leaves the phone.
const PIN = "48213"

// World is everything outside the server: stand-ins, the portal's credentials, the user and the phone.
type World struct {
	FCM    *standin.FCM
	APNs   *standin.APNs
	Portal *standin.Portal

	Secret   string // of the two API clients
	Password string // of the user
	account  []byte // FCM service account
	now      func() time.Time
}

// NewWorld starts the stand-ins on free loopback ports. secret makes fresh random text.
func NewWorld(now func() time.Time, secret func() string) (w *World, err error) {
	w = &World{now: now, Secret: secret(), Password: secret()[:16]}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.FCM, err = standin.StartFCM(now); err != nil {
		return w, fmt.Errorf("start the FCM stand-in: %w", err)
	}
	if w.APNs, err = standin.StartAPNs(now); err != nil {
		return w, fmt.Errorf("start the APNs stand-in: %w", err)
	}
	if w.Portal, err = standin.StartPortal(now); err != nil {
		return w, fmt.Errorf("start the portal: %w", err)
	}
	w.Portal.SetSecret(standin.NewWebhookSecret())
	if w.account, err = w.FCM.NewServiceAccount(fcmProject); err != nil {
		return w, fmt.Errorf("make a service account: %w", err)
	}
	w.FCM.AddDevice(pushToken, fcmProject)
	return w, nil
}

// Close stops the stand-ins.
func (w *World) Close() error {
	var errs []error
	if w.FCM != nil {
		errs = append(errs, w.FCM.Close())
	}
	if w.APNs != nil {
		errs = append(errs, w.APNs.Close())
	}
	if w.Portal != nil {
		errs = append(errs, w.Portal.Close())
	}
	return errors.Join(errs...)
}

// Settings returns the settings document of the demo. It is JSON, which is YAML too.
func (w *World) Settings() ([]byte, error) {
	type object = map[string]any
	return json.Marshal(object{
		"mobile_authentication": object{"push_enrollment_mode": "OVERRIDE_ALLOWED"},
		"scopes": []object{
			{"id": "openid", "persistent_consent": true, "descriptions": object{
				"en": "Know who you are", "nl": "Weten wie u bent", "de": "Wissen, wer Sie sind", "fr": "Savoir qui vous êtes",
			}},
			{"id": "accounts", "descriptions": object{
				"en": "See your accounts", "nl": "Uw rekeningen bekijken", "de": "Ihre Konten sehen", "fr": "Voir vos comptes",
			}},
		},
		"pin_policies":       []object{{"name": "usual", "default": true, "length": len(PIN), "max_similar_digits": 3, "sequences_allowed": false}},
		"identity_providers": []object{{"id": "accounts", "name": "Harbour accounts", "type": "ACCOUNTS", "default": true}},
		"push_configurations": []object{
			{"id": "fcm", "name": "Google", "platform": "android", "service_account": string(w.account)},
		},
		"applications": []object{{
			"id": application, "name": "Harbour Bank", "redirect_url": redirectURL, "fingerprint_authentication": true, "implicit_authentication": true,
			"default_scopes":    []string{"openid", "accounts"},
			"identity_provider": "accounts", "max_pin_failures": 3,
			"versions": []object{{
				"platform": "android", "version": "4.2.0", "application_signatures": []string{signature}, "push_configuration": "fcm",
			}},
		}},
		"api_clients": []object{
			{"client_id": portalClient, "name": "Harbour portal", "client_secret": w.Secret, "scopes": []string{"onegini_api_mobile_authentication"}},
			{"client_id": gatewayClient, "name": "Harbour API gateway", "client_secret": w.Secret, "scopes": []string{"onegini_api_token_introspection"}},
		},
		"authentication_types": []object{
			{"name": typeWithPIN, "method": "PUSH_WITH_PIN", "expires_in": 300, "max_resends": 1},
			{"name": typePlain, "method": "PUSH", "expires_in": 300, "max_resends": 1},
		},
		"callbacks": []object{{"url": w.Portal.CallbackURL(), "signing_secret": w.Portal.Secret()}},
		"users":     []object{{"id": userID, "username": username, "password": w.Password, "attributes": object{"name": "Kim de Vries"}}},
	})
}

// newPhone makes the virtual phone with the app of the demo installed.
func (w *World) newPhone(baseURL string, transport http.RoundTripper) (*phone.Phone, error) {
	return phone.New(phone.App{
		BaseURL: baseURL, Identifier: application, Platform: phone.Android, Version: "4.2.0", OSVersion: "16",
		Model: "Virtual Pixel", Signature: signature, RedirectURL: redirectURL,
	}, phone.Options{Now: w.now, HTTPClient: &http.Client{Transport: transport, Timeout: 20 * time.Second}})
}

// portalAPI makes the portal's calls.
func (w *World) portalAPI(baseURL string, transport http.RoundTripper) *standin.PortalAPI {
	return &standin.PortalAPI{
		BaseURL: baseURL, ClientID: portalClient, ClientSecret: w.Secret,
		HTTPClient: &http.Client{Transport: transport, Timeout: 20 * time.Second},
	}
}

// initiate starts a transaction of a type for the user of the demo.
func (w *World) initiate(ctx context.Context, api *standin.PortalAPI, kind, deviceID, message, secure string) (*standin.Initiated, error) {
	return api.Init(ctx, standin.Initiation{
		Type: kind, UserID: userID, DeviceID: deviceID, CallbackURI: w.Portal.CallbackURL(), Message: message, SecureMessage: secure,
	})
}
