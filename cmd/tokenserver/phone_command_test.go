package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/cmd/tokenserver/demo"
	"tokenserver/internal/secret"
	"tokenserver/internal/standin"
)

const (
	phonePIN       = "48213"
	phonePushToken = "push-token-of-the-phone-under-test"
	appSignature   = "3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63"
)

// phoneWorld is a running server with the stand-ins of the demo, and the command line of a phone.
type phoneWorld struct {
	*demo.World
	server string // address without /oauth
	log    demo.Log
	state  string
	seen   int64 // position in the audit log
}

func newPhoneWorld(t *testing.T) *phoneWorld {
	t.Helper()
	now := func() time.Time { return time.Now().UTC() }
	world, err := demo.NewWorld(now, secret.NewToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	world.FCM.AddDevice(phonePushToken, "harbour-demo")
	world.FCM.AddDevice(phonePushToken+"-2", "harbour-demo")
	d := &demoRun{program: &program{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}, now: now}}
	if err := d.configure(t.Context(), world, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	addVersion(t, d.config.SettingsFile, "4.3.0")
	ctx, stop := context.WithCancel(t.Context())
	s, err := d.openServer(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	w := &phoneWorld{World: world, server: s.config.PublicBaseURL, log: s.sql, state: filepath.Join(t.TempDir(), "phone.json")}
	w.audited(t, audit.SettingsApplied)
	return w
}

// addVersion adds a version of the app, like the first, to the settings in a file.
func addVersion(t *testing.T, file, version string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	app := document["applications"].([]any)[0].(map[string]any)
	next := maps.Clone(app["versions"].([]any)[0].(map[string]any))
	next["version"] = version
	app["versions"] = append(app["versions"].([]any), next)
	if text, err = json.Marshal(document); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// audited waits until the log goes on with exactly these codes.
func (w *phoneWorld) audited(t *testing.T, want ...audit.Code) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got []audit.Code
	for len(got) < len(want) {
		events, err := w.log.EventsAfter(ctx, w.seen, 100)
		if err != nil {
			t.Fatalf("the log shows %v, want %v: %v", got, want, err)
		}
		for i := range events {
			got = append(got, events[i].Code)
			w.seen = events[i].Position
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the log shows %v, want %v", got, want)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the log shows %v, want %v", got, want)
	}
}

// call is one invocation of the program.
type call struct {
	args []string
	in   string
	pin  string // in the environment, when not empty
	code int    // exit status that is wanted
	want []string
}

func (w *phoneWorld) call(t *testing.T, c call) (out string) {
	t.Helper()
	environ := []string{phonePasswordVariable + "=" + w.Password}
	if c.pin != "" {
		environ = append(environ, phonePINVariable+"="+c.pin)
	}
	s := &shell{environ: environ}
	code, out, complaints := s.run(t, c.in, append([]string{"phone", "--state", w.state}, c.args...)...)
	if code != c.code {
		t.Fatalf("%q ended with %d, want %d:\n%s%s", c.args, code, c.code, out, complaints)
	}
	for _, want := range c.want {
		if !strings.Contains(out+complaints, want) {
			t.Errorf("%q printed\n%s%s\nwant %q", c.args, out, complaints, want)
		}
	}
	if leaked := out + complaints; strings.Contains(leaked, w.Password) || strings.Contains(leaked, phonePIN) {
		t.Errorf("%q prints a secret:\n%s", c.args, leaked)
	}
	return out
}

// installed makes a phone that is registered, and returns its client id.
func (w *phoneWorld) installed(t *testing.T, flags ...string) string {
	t.Helper()
	w.call(t, call{args: append([]string{
		"install", "--server", w.server + "/", "--app", "harbour", "--app-version", "4.2.0", "--signature", appSignature,
		"--redirect", "harbour://signed-in", "--os-version", "16",
	}, flags...), want: []string{"harbour 4.2.0 for android is installed", "tokenserver phone register"}})
	var registered installation
	w.decode(t, call{args: []string{"register", "--name", "Kim's phone", "--json"}}, &registered)
	if registered.ClientID == "" || registered.BaseURL != w.server+"/oauth" {
		t.Fatalf("registered as %+v", registered)
	}
	return registered.ClientID
}

func (w *phoneWorld) decode(t *testing.T, c call, into any) {
	t.Helper()
	if out := w.call(t, c); json.Unmarshal([]byte(out), into) != nil {
		t.Fatalf("%q printed no JSON:\n%s", c.args, out)
	}
}

// initiate lets the portal ask for kim.
func (w *phoneWorld) initiate(t *testing.T, kind, clientID string) string {
	t.Helper()
	api := &standin.PortalAPI{BaseURL: w.server + "/oauth", ClientID: "harbour-portal", ClientSecret: w.Secret, HTTPClient: &http.Client{}}
	started, err := api.Init(t.Context(), standin.Initiation{
		Type: kind, UserID: "u-5501", DeviceID: clientID, CallbackURI: w.Portal.CallbackURL(),
		Message: "Harbour Bank asks you to confirm a payment.", SecureMessage: "€ 125.00 to J. Doe",
	})
	if err != nil {
		t.Fatal(err)
	}
	return started.TransactionID
}

const unknownTransaction = "3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11"

func TestPhoneWalksTheMainJob(t *testing.T) {
	w := newPhoneWorld(t)
	client := w.installed(t)
	w.audited(t, audit.DynamicRegSuccess)
	if info, err := os.Stat(w.state); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file: %v %v, want mode 0600", info, err)
	}
	w.call(t, call{args: []string{"install", "--server", w.server, "--app", "a", "--app-version", "1", "--redirect", "a://b"}, code: 1, want: []string{"there is a phone", "--force"}})
	w.call(t, call{args: []string{"validate"}, want: []string{"The registration holds.\nUsers: none\nPIN: 5 digits, runs of at most 3, sequences not allowed, 3 tries\n"}})
	w.audited(t, audit.ClientCredentialsCheckSuccess)

	w.call(t, call{args: []string{"sign-in", "--username", "kim"}, pin: "12345", code: 1, want: []string{"pin_sequence", "SDK number 9012", "choose another PIN"}})
	w.call(t, call{args: []string{"sign-in", "--username", "kim", "--profile", "QW4RTY", "--scope", "openid"}, pin: phonePIN, want: []string{"kim is signed in as profile QW4RTY", "Scopes:       openid", "Access token: ", "ID token: "}})
	w.audited(t, audit.AccountSignInSuccess, audit.ConsentGiven, audit.AuthzRequestGrantCreated, audit.TokenRequestAccessTokenCreated)
	w.call(t, call{args: []string{"refresh", "--pin-file", "-"}, in: phonePIN + "\n", want: []string{"Fresh tokens for profile QW4RTY."}})
	w.audited(t, audit.TokenRequestAccessTokenRefreshed)

	w.call(t, call{args: []string{"enroll", "--push-token", phonePushToken}, want: []string{"Profile QW4RTY is enrolled", client}})
	w.audited(t, audit.EnrollmentInitialized, audit.EnrollmentKeyFetched, audit.EnrollmentAckSuccess)
	w.call(t, call{args: []string{"profiles"}, want: []string{"QW4RTY  signed in   enrolled for push\n"}})

	tx := w.initiate(t, "confirm", client)
	w.audited(t, audit.APIAccessGranted, audit.PushAuthInitialized)
	w.call(t, call{args: []string{"pending"}, want: []string{tx + "  open     profile QW4RTY", "Harbour Bank asks you"}})
	w.audited(t, audit.TokenRequestAccessTokenCreated)
	w.call(t, call{args: []string{"fetch", tx}, want: []string{"€ 125.00 to J. Doe", "push with pin, for profile QW4RTY", "tokenserver phone approve " + tx}})
	w.audited(t, audit.PushAuthFetchSecuredMessageFetched)
	w.call(t, call{args: []string{"pending"}, want: []string{tx + "  fetched  profile QW4RTY"}})
	w.call(t, call{args: []string{"fetch", strings.ToUpper(tx)}, want: []string{"€ 125.00 to J. Doe"}})

	var refused struct {
		Error     string `json:"error"`
		Next      string `json:"next"`
		Status    int    `json:"http_status"`
		Remaining int    `json:"remaining_attempts"`
	}
	w.decode(t, call{args: []string{"approve", tx, "--json"}, pin: "48214", code: 1, want: []string{"2 tries are left"}}, &refused)
	if refused.Error != "invalid_refresh_token" || refused.Remaining != 2 || refused.Status != 400 || !strings.Contains(refused.Next, "the PIN is wrong") {
		t.Errorf("a wrong PIN: %+v", refused)
	}
	w.audited(t, audit.PushAuthNotAuthenticatedInvalidRefreshToken)
	w.call(t, call{args: []string{"approve", tx}, pin: phonePIN, want: []string{"Transaction " + tx + " is authenticated."}})
	w.audited(t, audit.PushAuthAuthenticated, audit.PushAuthCallbackSent)
	w.call(t, call{args: []string{"approve", tx}, pin: phonePIN, code: 1, want: []string{"SDK number", "tokenserver phone pending"}})
}

func TestPhoneAnswersInOtherWays(t *testing.T) {
	w := newPhoneWorld(t)
	client := w.installed(t, "--api-version", "1")
	w.call(t, call{args: []string{"sign-in", "--username", "kim", "--json"}, pin: phonePIN})
	w.call(t, call{args: []string{"enroll", "--push-token", phonePushToken}})
	w.call(t, call{args: []string{"push-token", "--new", phonePushToken + "-2"}, want: []string{"pushes to the new token"}})

	w.call(t, call{args: []string{"deny", w.initiate(t, "confirm", client)}, want: []string{"is denied."}})
	w.call(t, call{args: []string{"approve", w.initiate(t, "sign-in", client)}, want: []string{"is authenticated."}})

	waited := w.initiate(t, "confirm", client)
	w.call(t, call{args: []string{"wait", "--once"}, in: "what?\nlater\n", want: []string{"€ 125.00 to J. Doe", "Left for later: tokenserver phone approve " + waited}})
	w.call(t, call{args: []string{"deny", waited}, want: []string{"is denied."}})
	waited = w.initiate(t, "confirm", client)
	w.call(t, call{args: []string{"wait", "--once"}, in: "approve\n", pin: phonePIN, want: []string{"Transaction " + waited + " is authenticated."}})
	waited = w.initiate(t, "sign-in", client)
	w.call(t, call{args: []string{"wait"}, in: "", code: 1, want: []string{"standard input has ended"}})
	w.call(t, call{args: []string{"pending"}, want: []string{waited + "  fetched"}})

	w.call(t, call{args: []string{"token"}, want: []string{"A token of the installation.", "Access token: "}})
	w.call(t, call{args: []string{"rename", "Kim's tablet"}, want: []string{"is called Kim's tablet now"}})
	w.call(t, call{args: []string{"upgrade", "--api-version", "2"}, code: exitUsage, want: []string{"give its --app-version, too"}})
	w.call(t, call{args: []string{"upgrade", "--app-version", "4.3.0", "--api-version", "2"}, want: []string{"The phone runs version 4.3.0 now."}})
	w.call(t, call{args: []string{"upgrade", "--api-version", "1"}, code: exitUsage})
	w.call(t, call{args: []string{"upgrade", "--app-version", "9.9"}, code: 1, want: []string{"refused: invalid_header", "SDK number 9008"}})
	w.call(t, call{args: []string{"refresh"}, pin: phonePIN})
	w.call(t, call{args: []string{"fingerprint", "refresh"}, code: 1, want: []string{"SDK number 9010"}})
	w.call(t, call{args: []string{"fingerprint", "enable"}, pin: "48214", code: 1, want: []string{"2 tries are left"}})
	w.call(t, call{args: []string{"fingerprint", "enable"}, pin: phonePIN, want: []string{"The fingerprint of profile ", " is enabled."}})
	w.call(t, call{args: []string{"fingerprint", "refresh"}, want: []string{"Fresh tokens for profile ", ", by fingerprint."}})
	w.call(t, call{args: []string{"implicit"}, want: []string{"A token without assurance for profile ", "Access token: "}})
	w.call(t, call{args: []string{"fingerprint", "disable", "--json"}, want: []string{`"enabled":false`}})
	w.call(t, call{args: []string{"fingerprint", "disable", "--all"}, want: []string{"The fingerprints of all users are disabled."}})
	w.call(t, call{args: []string{"fingerprint", "refresh"}, code: 1, want: []string{"SDK number 9010"}})
	w.call(t, call{args: []string{"revoke", "tokens"}, want: []string{"Revoked: tokens of "}})
	w.call(t, call{args: []string{"refresh"}, pin: phonePIN, code: 1, want: []string{"SDK number 9010", "tokenserver phone sign-in"}})
	w.call(t, call{args: []string{"revoke", "everything"}, code: exitUsage, want: []string{"want profile, tokens or client"}})
	w.call(t, call{args: []string{"revoke", "profile"}, want: []string{"Revoked: profile of "}})
	w.call(t, call{args: []string{"profiles"}, want: []string{"Nobody has signed in on this phone."}})
	w.call(t, call{args: []string{"revoke", "client"}, want: []string{"Revoked: client."}})
	w.call(t, call{args: []string{"forget"}, want: []string{"Forgotten"}})
	w.call(t, call{args: []string{"validate"}, code: 1, want: []string{"not_registered", "SDK number 9002", "tokenserver phone register"}})
}

func TestPhoneCountsToTheLimit(t *testing.T) {
	w := newPhoneWorld(t)
	w.installed(t)
	w.call(t, call{args: []string{"sign-in", "--username", "kim", "--deny"}, pin: phonePIN, code: 1, want: []string{"refused: access_denied", "SDK number 9006", "the user said no"}})
	w.call(t, call{args: []string{"sign-in", "--username", "lee"}, pin: phonePIN, code: 1, want: []string{"did not accept user name and password"}})
	w.call(t, call{args: []string{"sign-in", "--username", "kim", "--scope", "wishes"}, pin: phonePIN, code: 1, want: []string{"invalid_scope", "compare --scope"}})
	w.call(t, call{args: []string{"sign-in", "--username", "kim"}, pin: phonePIN})
	w.call(t, call{args: []string{"fetch", unknownTransaction}, code: 1, want: []string{"SDK number 9021", "tokenserver phone enroll"}})
	w.call(t, call{args: []string{"push-token", "--new", "x"}, code: 1, want: []string{"has no push token"}})
	w.call(t, call{args: []string{"enroll", "--push-token", "short"}, code: 1, want: []string{"refused: invalid_request", "look at the push token"}})
	w.call(t, call{args: []string{"enroll", "--push-token", phonePushToken}})
	w.call(t, call{args: []string{"fetch", unknownTransaction}, code: 1, want: []string{"refused: invalid_transaction (HTTP 404, SDK number 10013)", "tokenserver phone pending"}})
	w.call(t, call{args: []string{"deny", unknownTransaction}, code: 1, want: []string{"SDK number 10013"}})
	w.call(t, call{args: []string{"refresh"}, code: 1, want: []string{"there is no terminal", "--pin-file", phonePINVariable}})
	w.call(t, call{args: []string{"refresh", "--pin-file", "-"}, in: "\n", code: 1, want: []string{"the PIN is empty"}})
	w.call(t, call{args: []string{"refresh"}, pin: "48214", code: 1, want: []string{"2 tries are left\nNext: the PIN is wrong"}})
	w.call(t, call{args: []string{"refresh"}, pin: "48214", code: 1, want: []string{"1 try is left"}})
	w.call(t, call{args: []string{"refresh"}, pin: "48214", code: 1, want: []string{"SDK number 9003", "no try is left", "sign-in starts anew"}})
	w.call(t, call{args: []string{"refresh"}, pin: phonePIN, code: 1, want: []string{"nobody has signed in on this phone"}})
}

func TestPhoneOfTwoUsers(t *testing.T) {
	w := newPhoneWorld(t)
	client := w.installed(t)
	for profile, token := range map[string]string{"AAAAA1": phonePushToken, "AAAAA2": phonePushToken} {
		w.call(t, call{args: []string{"sign-in", "--username", "kim", "--profile", profile}, pin: phonePIN})
		w.call(t, call{args: []string{"enroll", "--profile", profile, "--push-token", token}})
		tx := w.initiate(t, "confirm", client)
		w.call(t, call{args: []string{"approve", tx}, pin: phonePIN, want: []string{"is authenticated."}})
	}
}

func TestPhoneHelpsWithWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "phone.json")
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	away := "http://" + mustFree(t)
	install := func(changes ...string) []string {
		flags := []string{"install", "--app", "harbour", "--app-version", "4.2.0", "--redirect", "harbour://x", "--force", "--server", away}
		return append(flags, changes...)
	}
	s := &shell{}
	for _, tc := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no state file", []string{"register"}, 1, "there is no phone at " + state + "\nNext: tokenserver phone install"},
		{"no state file, as JSON", []string{"--json", "profiles"}, 1, `{"error":"no_phone"`},
		{"a broken state file", []string{"--state", broken, "profiles"}, 1, "load phone: "},
		{"unknown subcommand", []string{"bogus"}, exitUsage, "bogus"},
		{"too many arguments", []string{"validate", "now"}, exitUsage, "tokenserver --help"},
		{"no transaction", []string{"approve"}, exitUsage, "tokenserver --help"},
		{"unknown flag", []string{"refresh", "--pin", phonePIN}, exitUsage, "unknown flag: --pin"},
		{"nothing said", []string{"install"}, exitUsage, "--server is missing\n--app is missing\n--app-version is missing\n--redirect is missing"},
		{"no server address", install("--server", "localhost:7878"), exitUsage, `--server "localhost:7878" is no address`},
		{"a server address that does not parse", install("--server", "http://[::1"), exitUsage, "is no address"},
		{"a server address with a query", install("--server", "http://localhost?x=y"), exitUsage, "is no address"},
		{"another platform", install("--platform", "palm"), exitUsage, "--platform palm: want android or ios"},
		{"another protocol", install("--api-version", "3"), exitUsage, "--api-version 3: want 1 or 2"},
		{"a folder that cannot be made", install("--state", filepath.Join(broken, "phone.json")), 1, "broken.json"},
		{"installed", install(), 0, "Next: tokenserver phone register"},
		{"server away", []string{"register"}, 1, "the server at " + away + "/oauth does not answer (SDK number 9001)"},
		{"nobody yet", []string{"refresh"}, 1, "nobody has signed in on this phone\nNext: tokenserver phone sign-in"},
		{"no user name", []string{"sign-in"}, exitUsage, "--username is missing"},
		{"no new token", []string{"push-token"}, exitUsage, "--new is missing"},
		{"too eager", []string{"wait", "--every", "1ms"}, exitUsage, "want at least"},
		{"help", nil, 0, "A first session"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, complaints := s.run(t, "", append([]string{"phone", "--state", state}, tc.args...)...)
			if code != tc.code || !strings.Contains(out+complaints, tc.want) {
				t.Errorf("%q ended with %d:\n%s%s\nwant %d and %q", tc.args, code, out, complaints, tc.code, tc.want)
			}
		})
	}
}

func mustFree(t *testing.T) string {
	t.Helper()
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestPhoneStateIsHereOrInTheConfigurationFolder(t *testing.T) {
	home, here := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	t.Setenv("AppData", home)
	t.Chdir(here)
	s := &shell{}
	install := []string{"phone", "install", "--app", "harbour", "--app-version", "4.2.0", "--redirect", "harbour://x", "--server", "http://localhost:1", "--json"}
	var made installation
	if err := json.Unmarshal([]byte(s.ok(t, "", install...)), &made); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made.State); err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(made.State, home) {
		t.Errorf("kept in %s: %v %v", made.State, info, err)
	}
	s.ok(t, "", append(install, "--state", "phone.json")...)
	var users []phoneUser
	if err := json.Unmarshal([]byte(s.ok(t, "", "phone", "profiles", "--json")), &users); err != nil || users == nil || len(users) != 0 {
		t.Errorf("users: %v %v", users, err)
	}
	if code, _, complaints := s.run(t, "", install...); code != 1 || !strings.Contains(complaints, "there is a phone at phone.json already") {
		t.Errorf("with a phone here: %d %s", code, complaints)
	}
}

func TestEveryPhoneCommandTeaches(t *testing.T) {
	s := &shell{}
	for _, c := range (&program{}).phoneCommand().Commands() {
		if out := s.ok(t, "", "phone", c.Name(), "--help"); !strings.Contains(out, "Examples:") || c.Short == "" || c.Long == "" {
			t.Errorf("%s has no examples:\n%s", c.Name(), out)
		}
		if c.Annotations[needsNoConfig] == "" {
			t.Errorf("%s reads the configuration of a server", c.Name())
		}
	}
}

func TestPhoneVariablesDoNotDisturbTheServer(t *testing.T) {
	newShell(t, phonePINVariable+"=48213", phonePasswordVariable+"=x").ok(t, "", "config")
}
