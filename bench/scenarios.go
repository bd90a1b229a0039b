package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// scenario makes one job for each worker.
type scenario struct {
	name      string
	must, aim float64 // CPU milliseconds for each request, server and stores, on PostgreSQL and Redis
	share     int     // one request in this many of the others': journeys are long
	prepare   func(ctx context.Context, d *deployment, worker int) (job, error)
}

func scenarios() []scenario {
	return []scenario{
		{"client_credentials_opaque", .28, .22, 1, clientCredentials("machine-opaque")},
		{"client_credentials_jwt_es256", .33, .26, 1, clientCredentials("machine-jwt")},
		{"introspection_opaque", .25, .20, 1, introspection("machine-opaque")},
		{"introspection_jwt_es256", 0, 0, 1, introspection("machine-jwt")},
		{"revocation", 0, 0, 4, revocation},
		{"code_flow", 0, 0, 10, codeFlow},
		{"refresh_rotation", .36, .28, 1, refresh("accounts")},
		{"refresh_rotation_id_token", .45, .35, 1, refresh("openid accounts")},
		{"refresh_installation_pin", 0, 0, 10, refreshInstallation},
		{"push_journey", 1.6, 1.3, 10, journey("sign-in", false)},
		{"push_journey_with_pin", 0, 0, 30, journey("confirm", true)},
	}
}

// selected returns the scenarios whose name contains part.
func selected(part string) []scenario {
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return !strings.Contains(s.name, part) })
}

// post sends a form and returns the body of an answer with the wanted status.
func (d *deployment) post(ctx context.Context, path, user string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		request.SetBasicAuth(user, d.secret)
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("POST %s: %d %s", path, answer.StatusCode, body)
	}
	return body, nil
}

func clientCredentials(client string) func(context.Context, *deployment, int) (job, error) {
	return func(_ context.Context, d *deployment, _ int) (job, error) {
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"accounts"}}
		return func(ctx context.Context) error {
			body, err := d.post(ctx, "/v1/token", client, form)
			if err == nil && !strings.Contains(string(body), `"access_token":"`) {
				return fmt.Errorf("no token in %s", body)
			}
			return err
		}, nil
	}
}

// machineToken gets a client a token of its own.
func (d *deployment) machineToken(ctx context.Context, client string) (string, error) {
	body, err := d.post(ctx, "/v1/token", client, url.Values{"grant_type": {"client_credentials"}, "scope": {"accounts"}})
	if err != nil {
		return "", err
	}
	var tokens phone.TokenAnswer
	err = json.Unmarshal(body, &tokens)
	return tokens.AccessToken, err
}

func introspection(client string) func(context.Context, *deployment, int) (job, error) {
	return func(ctx context.Context, d *deployment, _ int) (job, error) {
		text, err := d.machineToken(ctx, client)
		if err != nil {
			return nil, err
		}
		form := url.Values{"token": {text}}
		return func(ctx context.Context) error {
			body, err := d.post(ctx, "/api/v2/token/introspect", "gateway", form)
			if err == nil && !strings.Contains(string(body), `"active":true`) {
				return fmt.Errorf("not active: %s", body)
			}
			return err
		}, nil
	}
}

// revocation is two requests: a client gets a token of its own and revokes it.
func revocation(_ context.Context, d *deployment, _ int) (job, error) {
	return func(ctx context.Context) error {
		text, err := d.machineToken(ctx, "machine-opaque")
		if err != nil {
			return err
		}
		_, err = d.post(ctx, "/v1/revoke", "machine-opaque", url.Values{"token": {text}, "token_type_hint": {"access_token"}})
		return err
	}, nil
}

// codeFlow is two requests: a signed-in user's browser gets a code, the client exchanges it for tokens with an ID token.
func codeFlow(_ context.Context, d *deployment, worker int) (job, error) {
	visitor := d.visitor(worker)
	return func(ctx context.Context) error {
		tokens, err := visitor.signIn(ctx, "openid accounts")
		if err == nil && (tokens.IDToken == "" || tokens.RefreshToken == "") {
			return errors.New("the answer of a code exchange lacks something")
		}
		return err
	}, nil
}

// visitor is one user at one browser, who signs in at the web client.
type visitor struct {
	d      *deployment
	person *phone.Person
}

func (d *deployment) visitor(worker int) *visitor {
	return &visitor{d, &phone.Person{Username: userOf(worker), Password: d.secret, Consent: true}}
}

// signIn opens the authorization request and redeems the code.
func (v *visitor) signIn(ctx context.Context, scope string) (tokens phone.TokenAnswer, err error) {
	const verifier = "bench-verifier-that-is-long-enough-for-rfc-7636-0123456789"
	const redirect = "http://127.0.0.1:1/back"
	challenge := sha256.Sum256([]byte(verifier))
	authorize := v.d.base + "/v1/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"s"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}.Encode()
	back, err := v.person.Open(ctx, authorize, redirect)
	if err != nil {
		return tokens, fmt.Errorf("sign in: %w", err)
	}
	at, err := url.Parse(back)
	if err != nil {
		return tokens, err
	}
	body, err := v.d.post(ctx, "/v1/token", "web", url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	if err == nil {
		err = json.Unmarshal(body, &tokens)
	}
	return tokens, err
}

// refresh signs a user in at the web client, then rotates for ever.
func refresh(scope string) func(context.Context, *deployment, int) (job, error) {
	return func(ctx context.Context, d *deployment, worker int) (job, error) {
		tokens, err := d.visitor(worker).signIn(ctx, scope)
		if err != nil {
			return nil, err
		}
		wantID := strings.Contains(scope, "openid")
		return func(ctx context.Context) error {
			body, err := d.post(ctx, "/v1/token", "web", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}})
			if err != nil {
				return err
			}
			former := tokens.RefreshToken
			if err := json.Unmarshal(body, &tokens); err != nil {
				return err
			}
			if tokens.RefreshToken == former || tokens.AccessToken == "" || wantID && tokens.IDToken == "" {
				return errors.New("the answer of a refresh lacks something")
			}
			return nil
		}, nil
	}
}

// install registers a phone and signs its user in, once for each worker and deployment.
func (d *deployment) install(ctx context.Context, worker int) (*device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.devices[worker]; known != nil {
		return known, nil
	}
	p, err := phone.New(phone.App{
		BaseURL: d.base, Identifier: "bench", Platform: phone.Android, Version: "1.0", OSVersion: "16", Model: "Bench",
		Signature: signature, RedirectURL: "bench://back",
	}, phone.Options{Now: d.now, HTTPClient: d.client})
	if err != nil {
		return nil, err
	}
	if err := p.Register(ctx, ""); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	made := &device{phone: p, profile: phone.NewProfileID(), pushToken: fmt.Sprintf("bench-device-registration-token-%04d", worker)}
	person := &phone.Person{Username: userOf(worker), Password: d.secret, Consent: true}
	if _, err := p.SignIn(ctx, made.profile, pin, []string{"openid", "accounts"}, person); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	d.fcm.AddDevice(made.pushToken, project)
	if err := p.Enroll(ctx, made.profile, made.pushToken); err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	d.devices[worker] = made
	return made, nil
}

type device struct {
	phone     *phone.Phone
	profile   string
	pushToken string
}

func refreshInstallation(ctx context.Context, d *deployment, worker int) (job, error) {
	made, err := d.install(ctx, worker)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := made.phone.Refresh(ctx, made.profile, pin)
		return err
	}, nil
}

// journey is what design calls the push cycle: init, fetch, answer, result. The callback goes out beside it.
func journey(kind string, withPIN bool) func(context.Context, *deployment, int) (job, error) {
	return func(ctx context.Context, d *deployment, worker int) (job, error) {
		made, err := d.install(ctx, worker)
		if err != nil {
			return nil, err
		}
		api := &standin.PortalAPI{BaseURL: d.base, ClientID: "portal", ClientSecret: d.secret, HTTPClient: d.client}
		return func(ctx context.Context) error {
			started, err := api.Init(ctx, standin.Initiation{
				Type: kind, UserID: userOf(worker), DeviceID: made.phone.ClientID(), CallbackURI: d.portal.CallbackURL(), Message: "Bench?",
			})
			if err != nil {
				return fmt.Errorf("init: %w", err)
			}
			message, err := made.phone.Fetch(ctx, started.TransactionID, made.profile)
			if err != nil {
				return fmt.Errorf("fetch: %w", err)
			}
			if withPIN {
				_, err = made.phone.Accept(ctx, message, pin)
			} else {
				_, err = made.phone.AcceptPlain(ctx, message)
			}
			if err != nil {
				return fmt.Errorf("answer: %w", err)
			}
			result, err := api.Result(ctx, started.TransactionID)
			if err == nil && !result.Authenticated {
				return errors.New("the result is not authenticated")
			}
			return err
		}, nil
	}
}

// workersOf prepares the jobs of one scenario, some at a time: sign-ins cost a slow password hash each.
func workersOf(ctx context.Context, d *deployment, s scenario, n int) ([]job, error) {
	jobs := make([]job, n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { jobs[i], errs[i] = s.prepare(ctx, d, i) })
	}
	wait.Wait()
	return jobs, errors.Join(errs...)
}

func userOf(worker int) string { return fmt.Sprintf("user-%02d", worker) }
