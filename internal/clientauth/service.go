package clientauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Service authenticates clients. Every field is required. Safe for concurrent use.
type Service struct {
	Installations installations
	Once          onceStore
	Failures      limiter // by client id
	KeySets       keySets
	Imports       imports
	Slow          chan struct{} // as many imported secrets are verified at a time as it has room for
	Keys          *secret.Keys
	Issuer        string // the audience of assertions
	Now           func() time.Time

	pems  sync.Map // PEM text → crypto.PublicKey
	found sync.Map // settled → keyed hash of the secret
}

// installations is what client authentication needs of the store.
type installations interface {
	// Installation returns one installation. Errors: store.ErrNotFound.
	Installation(ctx context.Context, clientID string) (store.Installation, error)
	// SettleSecret forgets the secret from before the last upgrade, if digest is that of the current one.
	SettleSecret(ctx context.Context, clientID string, digest []byte) error
}

// onceStore remembers the ids of assertions. Errors: store.ErrConflict for everybody after the first.
type onceStore interface {
	ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error)
}

// limiter counts failures of a key; see ratelimit.Limiter.
type limiter interface {
	Exceeded(key string) bool
	Spend(ctx context.Context, key string) (exceeded bool)
	Refused(key string) (report int)
}

// keySets fetches what clients publish; see remotejwks.Sets.
type keySets interface {
	// Candidates returns the keys that may have made a signature. Errors: remotejwks.ErrUnavailable, those of ctx.
	Candidates(ctx context.Context, uri, kid, alg string) ([]jose.JSONWebKey, error)
}

// method is a way to authenticate.
type method int

const (
	none method = iota // only a client id
	bySecret
	byAssertion
)

// Authenticate finds out which client sent the credentials. Errors: *Refused, store.ErrUnavailable.
func (s *Service) Authenticate(ctx context.Context, snapshot *settings.Snapshot, c Credentials) (Client, error) {
	how, id, given, err := sort(c)
	if err != nil {
		return Client{}, err
	}
	if s.Failures.Exceeded(id) {
		return Client{}, s.throttled(id)
	}
	client, err := s.find(ctx, snapshot, id)
	if errors.Is(err, store.ErrNotFound) {
		s.Keys.Equal(secret.ForClientSecret, nil, given) // costs what a known client costs
		return Client{}, &Refused{Reason: UnknownClient, ClientID: clip(id)}
	}
	if err != nil {
		return Client{}, err
	}
	reason, err := s.prove(ctx, client, how, given)
	if err != nil {
		return Client{}, err
	}
	switch reason {
	case "":
		return client, nil
	case Disabled:
		return Client{}, &Refused{Reason: reason, ClientID: id}
	case Throttled:
		return Client{}, s.throttled(id)
	case wrongAndCounted:
		return Client{}, &Refused{Reason: WrongSecret, ClientID: id, Known: true}
	default:
	}
	if reason.guess() {
		s.Failures.Spend(ctx, id)
	}
	return Client{}, &Refused{Reason: reason, ClientID: id, Known: true}
}

func (s *Service) throttled(id string) error {
	return &Refused{Reason: Throttled, ClientID: clip(id), Report: s.Failures.Refused(id)}
}

// AuthenticateAPI is Authenticate for the server-to-server APIs. bearer is the token of a Bearer header, which is an
// assertion there. Errors as Authenticate.
func (s *Service) AuthenticateAPI(ctx context.Context, snapshot *settings.Snapshot, c Credentials, bearer string) (Client, error) {
	if bearer != "" {
		if c.Basic || c.Secret != "" || c.Assertion != "" {
			return Client{}, &Refused{Reason: Ambiguous}
		}
		c = Credentials{ID: c.ID, AssertionType: AssertionType, Assertion: bearer}
	}
	return s.Authenticate(ctx, snapshot, c)
}

// sort finds the one method in use, the client that is named, and the secret or assertion.
func sort(c Credentials) (how method, id, given string, err error) {
	methods := 0
	if c.Basic {
		methods++
		how, id, given = bySecret, c.BasicID, c.BasicSecret
	}
	if c.Secret != "" {
		methods++
		how, id, given = bySecret, c.ID, c.Secret
	}
	if c.Assertion != "" || c.AssertionType != "" {
		methods++
		how, given = byAssertion, c.Assertion
		if id = c.ID; id == "" {
			id = claimedClient(c.Assertion)
		}
		if c.AssertionType != AssertionType {
			return 0, "", "", &Refused{Reason: Malformed, ClientID: clip(id)}
		}
	}
	switch {
	case methods > 1:
		return 0, "", "", &Refused{Reason: Ambiguous}
	case methods == 0 && c.ID == "":
		return 0, "", "", &Refused{Reason: Missing}
	case methods == 0:
		return none, c.ID, "", nil
	case id == "":
		return 0, "", "", &Refused{Reason: Malformed}
	case len(id) > longestID:
		return 0, "", "", &Refused{Reason: UnknownClient, ClientID: clip(id)}
	case c.ID != "" && c.ID != id:
		return 0, "", "", &Refused{Reason: Ambiguous, ClientID: clip(id)}
	}
	return how, id, given, nil
}

// find looks the client up: settings first, because they cost nothing. Errors: store.ErrNotFound.
func (s *Service) find(ctx context.Context, snapshot *settings.Snapshot, id string) (Client, error) {
	if web := snapshot.WebClient(id); web != nil {
		return Client{ID: id, Web: web}, nil
	}
	if api := snapshot.APIClient(id); api != nil {
		return Client{ID: id, API: api}, nil
	}
	if len(id) != clientIDLength || strings.Trim(id, "0123456789ABCDEF") != "" { // foreign bytes do not reach the database
		return Client{}, store.ErrNotFound
	}
	i, err := s.Installations.Installation(ctx, id)
	if err != nil {
		return Client{}, fmt.Errorf("authenticate client: %w", err)
	}
	application := snapshot.Application(i.Application)
	if application == nil {
		return Client{}, store.ErrNotFound
	}
	version := snapshot.Version(i.Application, i.Platform, i.Version)
	return Client{ID: id, Installation: &i, Application: application, Version: version}, nil
}

// clientIDLength is the length of an installation's client id: 64 upper-case hex digits.
const clientIDLength = 64

// prove checks the proof of a client that exists; "" = it is good.
func (s *Service) prove(ctx context.Context, client Client, how method, given string) (Reason, error) {
	switch {
	case client.Installation != nil:
		return s.proveInstallation(ctx, client.Installation, how, given)
	case client.Web != nil:
		w := client.Web
		if w.Disabled {
			return Disabled, nil
		}
		return s.proveMachine(ctx, machine{
			w.ID, w.Authentication, w.Secret.Digest, w.HashedSecret.Reveal(), w.PublicKey, w.JWKSURI,
		}, how, given)
	}
	a := client.API
	if a.Disabled {
		return Disabled, nil
	}
	return s.proveMachine(ctx, machine{
		a.ID, a.Authentication, a.Secret.Digest, a.HashedSecret.Reveal(), a.PublicKey, a.JWKSURI,
	}, how, given)
}

// machine is how a client that an administrator made proves itself.
type machine struct {
	id        string
	wants     settings.ClientAuthentication
	digest    []byte // of the secret
	imported  string // instead of digest: what another server kept of the secret
	publicKey string // PEM
	jwksURI   string // wins over publicKey
}

// proveMachine checks a client that an administrator made.
func (s *Service) proveMachine(ctx context.Context, client machine, how method, given string) (Reason, error) {
	switch {
	case client.wants == settings.PKCEOnly || client.wants == settings.PublicClient:
		if how == none {
			return "", nil
		}
	case client.wants == settings.PrivateKeyJWT:
		if how == byAssertion {
			return s.checkAssertion(ctx, client, given)
		}
	case how == bySecret && len(client.digest) == 0 && client.imported != "":
		return s.checkImported(ctx, client, given)
	case how == bySecret:
		if len(client.digest) > 0 && s.Keys.Equal(secret.ForClientSecret, client.digest, given) {
			return "", nil
		}
		return WrongSecret, nil
	}
	if how == none {
		return Missing, nil
	}
	return WrongMethod, nil
}

// proveInstallation checks an app installation: its key, or its secret, or until the new secret is first used the one
// from before an upgrade.
func (s *Service) proveInstallation(ctx context.Context, i *store.Installation, how method, given string) (Reason, error) {
	usesKey := len(i.PublicJWK) > 0
	switch {
	case how == none:
		return Missing, nil
	case usesKey && how == byAssertion:
		return s.checkDeviceAssertion(ctx, i, given)
	case usesKey || how != bySecret:
		return WrongMethod, nil
	}
	now := len(i.SecretDigest) > 0 && s.Keys.Equal(secret.ForClientSecret, i.SecretDigest, given)
	prior := i.PriorSecretOpen(s.Now()) && s.Keys.Equal(secret.ForClientSecret, i.PriorSecretDigest, given)
	if now && len(i.PriorSecretDigest) > 0 {
		if err := s.Installations.SettleSecret(ctx, i.ClientID, i.SecretDigest); err != nil {
			return "", fmt.Errorf("authenticate client: %w", err)
		}
	}
	if now || prior {
		return "", nil
	}
	return WrongSecret, nil
}

func clip(id string) string { return id[:min(len(id), 128)] }
