package phone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// requestTimeout bounds one request when Options.HTTPClient is not given.
const requestTimeout = 20 * time.Second

// Options are the surroundings of a phone.
type Options struct {
	// Now is the clock of the phone; required. It may be wrong: servers allow ten minutes at registration.
	Now func() time.Time
	// HTTPClient sends the SDK requests; nil: a client with a timeout of 20 s. Redirects are never followed.
	HTTPClient *http.Client
	// Attest obtains platform attestations for a new client key; nil: none are sent.
	Attest func(ctx context.Context, binding Attestation) ([]any, error)
}

// Attestation is what platform evidence must be bound to.
type Attestation struct {
	Identifier string // of the registration or upgrade
	Challenge  string // of the server
	Thumbprint string // RFC 7638, of the client key, base64url
}

// Phone is one installation of an app on one device. It is safe for concurrent use.
type Phone struct {
	options Options
	client  *http.Client

	mu    sync.Mutex // guards everything below; never held during a request
	state state
}

// state is all that a phone keeps between two starts.
type state struct {
	App           App                 `json:"app"`
	Hardware      string              `json:"hardware_secret"` // 32 bytes in hex; a keystore entry on a real phone
	Issuer        string              `json:"issuer,omitempty"`
	IssInRedirect bool                `json:"iss_in_redirect,omitempty"` // RFC 9207 is advertised
	ClientID      string              `json:"client_id,omitempty"`
	ClientSecret  string              `json:"client_secret,omitempty"` // API version 1
	ClientKey     *Key                `json:"client_key,omitempty"`    // API version 2
	KeyID         string              `json:"kid,omitempty"`           // of ClientKey, as the server named it
	Configuration Configuration       `json:"configuration"`
	ClientToken   *Tokens             `json:"client_token,omitempty"`
	Profiles      map[string]*profile `json:"profiles,omitempty"`
	Messages      map[string]Message  `json:"messages,omitempty"` // fetched, not answered; by transaction id
}

// profile is one user of the installation.
type profile struct {
	Tokens      *Tokens     `json:"tokens,omitempty"`       // access token of the running session
	Masked      *Masked     `json:"masked,omitempty"`       // refresh token under the PIN
	FingerPrint string      `json:"finger_print,omitempty"` // refresh token that biometrics release from the keystore
	Enrollment  *enrollment `json:"enrollment,omitempty"`
}

// New makes a phone with the app installed and never started. Errors: base URL or API version unusable, no clock.
func New(app App, options Options) (*Phone, error) {
	app, err := app.normalized()
	if err != nil {
		return nil, err
	}
	hardware := make([]byte, hardwareBytes)
	_, _ = rand.Read(hardware) // never fails (crypto/rand)
	return open(state{App: app, Hardware: hex.EncodeToString(hardware)}, options)
}

// open puts a state into a phone.
func open(s state, options Options) (*Phone, error) {
	if options.Now == nil {
		return nil, errors.New("phone: options need a clock")
	}
	client := &http.Client{Timeout: requestTimeout}
	if options.HTTPClient != nil {
		copied := *options.HTTPClient
		client = &copied
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if s.Profiles == nil {
		s.Profiles = make(map[string]*profile)
	}
	return &Phone{options: options, client: client, state: s}, nil
}

// App returns the installed build.
func (p *Phone) App() App {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.App
}

// Install replaces the build without telling the server, as the app store does. The next Validate says what is due.
func (p *Phone) Install(r Release) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.App = p.state.App.updated(r)
}

// ClientID is the identifier of the installation, the device_id of portals; empty before registration.
func (p *Phone) ClientID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.ClientID
}

// Configuration returns what the server last said about the app.
func (p *Phone) Configuration() Configuration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Configuration
}

// Profiles lists the profile ids of the users known to this phone, in no particular order.
func (p *Phone) Profiles() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, 0, len(p.state.Profiles))
	for id := range p.state.Profiles {
		ids = append(ids, id)
	}
	return ids
}

// AccessToken returns the access token of the running session of a profile. Error: *Error 9010, nobody is signed in.
func (p *Phone) AccessToken(profileID string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := p.state.Profiles[profileID]
	if user == nil || user.Tokens == nil {
		return "", local("not_authenticated", NumberNotAuthenticated, "nobody is signed in under this profile")
	}
	return user.Tokens.AccessToken, nil
}

// snapshot copies the fields that requests need. Pointers inside are replaced, never changed, once they are in the state.
func (p *Phone) snapshot() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Profiles, s.Messages = nil, nil // changed in place; read them under the lock
	return s
}

// change runs f under the lock.
func (p *Phone) change(f func(*state)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}

// hardware returns the secret that goes into the PIN mask.
func (s state) hardware() []byte {
	raw, _ := hex.DecodeString(s.Hardware) // written by New, checked by Load
	return raw
}

// registered fails with 9002 before registration and after the server has forgotten the installation.
func (s state) registered() error {
	if s.ClientID == "" {
		return local("not_registered", NumberDeviceDeregistered, "the installation is not registered")
	}
	return nil
}

// wipe forgets the registration and all users; the build and the hardware secret stay.
func (s *state) wipe() {
	*s = state{App: s.App, Hardware: s.Hardware, Issuer: s.Issuer, IssInRedirect: s.IssInRedirect, Profiles: make(map[string]*profile)}
}

// user returns the profile, made on demand.
func (s *state) user(profileID string) *profile {
	if s.Profiles[profileID] == nil {
		s.Profiles[profileID] = &profile{}
	}
	return s.Profiles[profileID]
}

// NewProfileID makes up a profile id: 6 of A-Z and 0-9.
func NewProfileID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var id strings.Builder
	for id.Len() < 6 {
		b := make([]byte, 1)
		_, _ = rand.Read(b)                    // never fails (crypto/rand)
		if int(b[0]) < 256-256%len(alphabet) { // no letter is likelier than another
			id.WriteByte(alphabet[int(b[0])%len(alphabet)])
		}
	}
	return id.String()
}
