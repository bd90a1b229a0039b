package settings

import (
	"context"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
)

// Export returns the settings, with users, as a document that changes nothing when it is applied: secrets are
// {redacted: true}, which keeps what is stored.
func (s *Service) Export(ctx context.Context) (Document, error) {
	d, _, err := s.stored(ctx)
	if err != nil {
		return Document{}, fmt.Errorf("export settings: %w", err)
	}
	d = d.copied()
	for _, e := range entities(&d) {
		if h, ok := e.value.(holder); ok {
			for _, value := range h.secrets() {
				if !value.IsZero() {
					*value = Redacted()
				}
			}
		}
		if m, ok := e.value.(machine); ok {
			is := m.credentials()
			if !is.secret.IsZero() || !is.hashed.IsZero() {
				*is.secret, *is.hashed = ClientSecret{Secret: Redacted()}, Secret{}
			}
		}
	}
	people, err := s.Accounts.Accounts(ctx)
	if err != nil {
		return Document{}, fmt.Errorf("export settings: %w", err)
	}
	for _, a := range people {
		u := User{ID: a.ID, Username: a.Username, Disabled: a.Disabled, Attributes: written(a.Attributes)}
		if a.PasswordHash != "" {
			u.Password = Redacted()
		}
		d.Users = append(d.Users, u)
	}
	return d, nil
}

// WriteYAML writes d as Parse reads it. Secrets are {redacted: true}.
func (d Document) WriteYAML(w io.Writer) error {
	text, err := yaml.MarshalWithOptions(d, yaml.Indent(2), yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}
