package settings

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// credentials is how an entity with a client secret holds it.
type credentials struct {
	method ClientAuthentication
	secret *ClientSecret
	hashed *Secret // imported, in PHC form
}

func (c *WebClient) credentials() credentials {
	return credentials{c.Authentication, &c.Secret, &c.HashedSecret}
}

func (c *APIClient) credentials() credentials {
	return credentials{c.Authentication, &c.Secret, &c.HashedSecret}
}

func (c *WebClient) secrets() map[string]*Secret {
	return map[string]*Secret{"hashed_client_secret": &c.HashedSecret}
}

func (c *APIClient) secrets() map[string]*Secret {
	return map[string]*Secret{"hashed_client_secret": &c.HashedSecret}
}

// mergeClientSecret leaves in e what is stored of a client's secret: its keyed hash, or an imported hash until the
// secret is first used. It returns the secret when it was made here.
func (s *Service) mergeClientSecret(e entity, m machine, then entity, found *problems) (made string) {
	is := m.credentials()
	var was ClientSecret
	var imported Secret
	if stored, known := then.value.(machine); known {
		was, imported = *stored.credentials().secret, *stored.credentials().hashed
	}
	if is.hashed.Kept() { // it may have been used meanwhile: whatever is stored stays
		*is.hashed, is.secret.Secret = Secret{}, Redacted()
	}
	switch {
	case is.method != SecretBasic:
		*is.secret, *is.hashed = ClientSecret{}, Secret{}
	case !is.secret.Empty():
		*is.secret, *is.hashed = ClientSecret{Digest: s.Keys.MAC(secret.ForClientSecret, is.secret.Reveal())}, Secret{}
	case !is.hashed.Empty() && len(was.Origin) > 0 && s.Keys.Equal(secret.ForClientSecret, was.Origin, importedPart, is.hashed.Reveal()):
		*is.secret, *is.hashed = ClientSecret{Digest: was.Digest, Origin: was.Origin}, Secret{} // used since it was imported
	case !is.hashed.Empty():
		*is.secret = ClientSecret{}
	case len(was.Digest) > 0 || !imported.Empty():
		*is.secret, *is.hashed = ClientSecret{Digest: was.Digest, Origin: was.Origin}, imported
	case is.secret.Kept():
		found.add(e.path+".client_secret", "is redacted, but nothing is stored that could be kept: write the secret, or leave it out to have one made")
	default:
		made = secret.NewToken()
		*is.secret = ClientSecret{Digest: s.Keys.MAC(secret.ForClientSecret, made)}
	}
	return made
}

// refuseTakenIDs refuses a new client whose id is that of a person, wherever the person comes from: a client's own token
// has its id as subject (RFC 9700 §4.15).
func (s *Service) refuseTakenIDs(ctx context.Context, before, after []entity, found *problems) error {
	was := byKey(before)
	for _, e := range after {
		_, isClient := e.value.(machine)
		if _, known := was[e.key()]; known || !isClient {
			continue
		}
		switch _, err := s.Accounts.Account(ctx, e.name); {
		case err == nil:
			found.add(e.path+".client_id", "%q is the id of a user: choose another", clip(e.name))
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

// importedPart keeps the keyed hash of an imported hash apart from that of a secret.
const importedPart = "imported"

// SettleClientSecret replaces the imported hash of a client's secret by its keyed hash, once the secret has been seen:
// checking it is cheap from then on, in every process. It does nothing when the client has another hash by now. It is
// durable when it returns; a document that still holds the imported hash goes on changing nothing.
// Errors: store.ErrUnavailable.
func (s *Service) SettleClientSecret(ctx context.Context, clientID, imported, clear string) error {
	settled := false
	err := s.Documents.InTx(ctx, func(ctx context.Context) error {
		settled = false
		if _, err := s.Documents.LockSettings(ctx); err != nil {
			return err
		}
		d, _, err := s.stored(ctx)
		if err != nil {
			return err
		}
		for _, e := range entities(&d) {
			m, ok := e.value.(machine)
			if !ok || e.name != clientID || m.credentials().hashed.Reveal() != imported {
				continue
			}
			*m.credentials().hashed = Secret{}
			*m.credentials().secret = ClientSecret{
				Digest: s.Keys.MAC(secret.ForClientSecret, clear), Origin: s.Keys.MAC(secret.ForClientSecret, importedPart, imported),
			}
			row, err := e.encode(s.Keys)
			if err != nil {
				return err
			}
			if _, err := s.Documents.WriteSettings(ctx, []store.Setting{row}, nil); err != nil {
				return err
			}
			settled = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle client secret: %w", err)
	}
	if !settled {
		return nil
	}
	return s.reload(ctx)
}
