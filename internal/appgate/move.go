package appgate

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Gate moves installations that have proved themselves to the version their headers name. Every field is required.
type Gate struct {
	Installations installations
	Audit         *audit.Recorder
}

// installations is what the gate needs of the store.
type installations interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	Installation(ctx context.Context, clientID string) (store.Installation, error)
	// MoveInstallation errors: store.ErrConflict when the installation is not at from anymore.
	MoveInstallation(ctx context.Context, clientID, from, to string) error
}

// APIVersionDiffers tells whether a request names another protocol than the installation is registered with. A header
// that is missing or malformed names none.
func APIVersionDiffers(header map[string][]string, i store.Installation) bool {
	version, err := parseAPIVersion(header)
	return err == nil && version != i.APIVersion
}

// Move stores the app version that an authenticated request names, when it differs from the stored one, is known, not
// disabled and needs no proof, and records MOBILE_CLIENT_UPDATED_PLATFORM_VERSION. Any other request is left under the
// stored version. It returns the installation as it is now.
func (g *Gate) Move(ctx context.Context, s *settings.Snapshot, i store.Installation, header map[string][]string) (store.Installation, bool, error) {
	h, err := ParseHeaders(header)
	if err != nil || h.Application != i.Application || h.Platform != i.Platform || h.Version == i.Version {
		return i, false, nil //nolint:nilerr // the endpoint does not need the headers
	}
	application, version := s.Application(h.Application), s.Version(h.Application, h.Platform, h.Version)
	if application == nil || !Usable(version) || NeedsProof(application, version, i.APIVersion) {
		return i, false, nil
	}
	moved := false
	err = g.Installations.InTx(ctx, func(ctx context.Context) error {
		moved = false
		err := g.Installations.MoveInstallation(ctx, i.ClientID, i.Version, h.Version)
		if errors.Is(err, store.ErrConflict) { // another request was faster
			return nil
		}
		if err != nil {
			return err
		}
		moved = true
		g.Audit.Record(ctx, audit.MobileClientUpdatedPlatformVersion, audit.Client(i.ClientID),
			audit.App(i.Application, i.Platform, h.Version), audit.Detail("from", i.Version), audit.Detail("to", h.Version))
		return nil
	})
	if err != nil {
		return i, false, fmt.Errorf("move installation to another version: %w", err)
	}
	if !moved {
		now, err := g.Installations.Installation(ctx, i.ClientID)
		if err != nil {
			return i, false, fmt.Errorf("move installation to another version: %w", err)
		}
		return now, false, nil
	}
	i.Version = h.Version
	return i, true, nil
}
