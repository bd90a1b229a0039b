package settings

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// topic is where processes tell each other that the settings have changed.
const topic = "settings"

// errDryRun ends the transaction of a plan.
var errDryRun = errors.New("dry run")

// Apply makes d the whole of the settings: what d does not hold any more is removed, except users. It validates d as a
// whole and names every problem at once. Applying the same document again changes nothing: no new version, no event.
// The change, the new version and the event SETTINGS_APPLIED, which names the administrator by, commit together; this
// process works with the new settings before Apply returns, every other one within two seconds. A user who is disabled,
// or gets another password, loses every token in the same transaction.
//
// Errors: *Invalid when d cannot be applied; store.ErrUnavailable.
func (s *Service) Apply(ctx context.Context, d Document, by string) (Changes, error) {
	changes, err := s.apply(ctx, d, by, false)
	if err != nil {
		return Changes{}, err
	}
	if changes.Empty() {
		return changes, s.Load(ctx)
	}
	return changes, s.reload(ctx)
}

// reload makes what was just written current here, and soon in the other processes.
func (s *Service) reload(ctx context.Context) error {
	if err := s.Load(ctx); err != nil {
		return err
	}
	if s.Hints != nil {
		if err := s.Hints.Hint(ctx, topic); err != nil {
			s.Log.WarnContext(ctx, "settings: hint other processes", "error", err)
		}
	}
	return nil
}

// Plan tells what Apply would do, with the same errors.
func (s *Service) Plan(ctx context.Context, d Document) (Changes, error) {
	return s.apply(ctx, d, "", true)
}

func (s *Service) apply(ctx context.Context, d Document, by string, dry bool) (Changes, error) {
	d = d.Complete()
	problems := s.Rules.check(d)
	known, err := s.Accounts.Accounts(ctx)
	if err != nil {
		return Changes{}, fmt.Errorf("apply settings: %w", err)
	}
	passwords := newPasswords(known, d.Users) // slow hashes are made before the transaction, not inside it
	if audit.TrailOf(ctx) == nil {            // the command line, or the start of the server
		ctx = audit.WithTrail(ctx, audit.NewTrail(audit.Origin{}))
	}
	var changes Changes
	err = s.Documents.InTx(ctx, func(ctx context.Context) error {
		var err error
		changes, err = s.decide(ctx, d, by, problems, passwords, dry)
		if err == nil && dry {
			return errDryRun
		}
		return err
	})
	var invalid *Invalid
	switch {
	case errors.Is(err, errDryRun):
		changes.Generated = nil
	case errors.As(err, &invalid):
		return Changes{}, invalid
	case err != nil:
		return Changes{}, fmt.Errorf("apply settings: %w", err)
	}
	return changes, nil
}

// decide compares d with what is stored and writes the difference, inside a transaction.
func (s *Service) decide(ctx context.Context, d Document, by string, problems problems, passwords *passwords, dry bool) (Changes, error) {
	version, err := s.Documents.LockSettings(ctx)
	if err != nil {
		return Changes{}, err
	}
	was, stale, err := s.stored(ctx)
	if err != nil {
		return Changes{}, err
	}
	people, err := s.Accounts.Accounts(ctx)
	if err != nil {
		return Changes{}, err
	}
	if version == 0 {
		was = Document{} // nothing was ever applied: the defaults that stored adds are not there yet
	}
	d = d.copied()
	before, after := entities(&was), entities(&d)
	if version == 0 {
		before = nil
	}
	found := problems.clone()
	generated := s.merge(before, after, &found)
	difference, err := compare(before, after)
	if err != nil {
		return Changes{}, err
	}
	if err := s.guardInUse(ctx, &was, &d, &found); err != nil {
		return Changes{}, err
	}
	if err := s.refuseTakenIDs(ctx, before, after, &found); err != nil {
		return Changes{}, err
	}
	changedPeople, peopleChanges := s.people(people, d.Users, passwords, &found)
	if err := found.err(); err != nil {
		return Changes{}, err
	}
	changes := Changes{Version: version, List: append(difference.list, peopleChanges...), Generated: generated}
	puts := difference.put
	for _, e := range after {
		if stale[e.key()] {
			puts = append(puts, e)
		}
	}
	if dry || (changes.Empty() && len(stale) == 0) {
		return changes, nil
	}
	rows := make([]store.Setting, len(puts))
	for i := range puts {
		if rows[i], err = puts[i].encode(s.Keys); err != nil {
			return Changes{}, err
		}
	}
	if changes.Version, err = s.Documents.WriteSettings(ctx, rows, difference.remove); err != nil {
		return Changes{}, err
	}
	if err := s.writePeople(ctx, people, changedPeople); err != nil {
		return Changes{}, err
	}
	if changes.Empty() { // sealed anew, and nothing else
		return changes, nil
	}
	s.Audit.Record(ctx, audit.SettingsApplied, audit.Admin(by), audit.Count("version", int(changes.Version)),
		audit.Count("created", changes.Count(Created)), audit.Count("updated", changes.Count(Updated)),
		audit.Count("removed", changes.Count(Removed)))
	return changes, nil
}

const (
	signingSecretBytes  = 32
	signingSecretPrefix = "whsec_"
)

// merge puts stored values where the document says {redacted: true}, hashes client secrets, and makes what the document
// leaves to the server. A generated secret stays when the document leaves it out again.
func (s *Service) merge(before, after []entity, found *problems) []Generated {
	was := byKey(before)
	var generated []Generated
	note := func(e entity, member, made string) {
		if made != "" {
			generated = append(generated, Generated{e.kind, e.name, member, made})
		}
	}
	for _, e := range after {
		then := was[e.key()]
		if m, ok := e.value.(machine); ok {
			note(e, "client_secret", s.mergeClientSecret(e, m, then, found))
		}
		if h, ok := e.value.(holder); ok {
			keepSecrets(e, h, then, found)
		}
		if h, ok := e.value.(signer); ok {
			if member := h.signingSecret(); member != "" {
				note(e, member, mergeSigningSecret(h.secrets()[member], storedSecrets(then)[member]))
			}
		}
	}
	return generated
}

// storedSecrets are the secrets of a stored entity; none when it is new.
func storedSecrets(then entity) map[string]*Secret {
	if h, ok := then.value.(holder); ok {
		return h.secrets()
	}
	return nil
}

// keepSecrets puts stored values where e says {redacted: true}. then is the stored entity, if there is one.
func keepSecrets(e entity, h holder, then entity, found *problems) {
	stored, is := storedSecrets(then), h.secrets()
	for _, member := range sortedKeys(is) {
		switch {
		case !is[member].Kept():
		case stored[member] == nil || stored[member].Empty():
			found.add(e.path+"."+member, "is redacted, but nothing is stored that could be kept: write the secret")
		default:
			*is[member] = *stored[member]
		}
	}
}

// mergeSigningSecret leaves a secret in is, and returns it when it was made here. was is the stored one, if there is one.
func mergeSigningSecret(is, was *Secret) (made string) {
	switch {
	case !is.IsZero():
	case was != nil && !was.Empty():
		*is = *was
	default:
		made = signingSecretPrefix + base64.StdEncoding.EncodeToString(secret.Bytes(signingSecretBytes))
		*is = NewSecret(made)
	}
	return made
}

// guardInUse refuses to take away what registered installations need.
func (s *Service) guardInUse(ctx context.Context, was, is *Document, found *problems) error {
	next := NewSnapshot(0, *is)
	for i := range was.Applications {
		a := &was.Applications[i]
		if next.Application(a.ID) == nil {
			used, err := s.Installations.HasInstallations(ctx, a.ID, "", "")
			if err != nil {
				return err
			}
			if used {
				found.add("applications", "%q is missing, but it has registered installations: keep it and set the status of its versions to DISABLED", a.ID)
			}
			continue
		}
		for _, v := range a.Versions {
			if next.Version(a.ID, v.Platform, v.Version) != nil {
				continue
			}
			used, err := s.Installations.HasInstallations(ctx, a.ID, v.Platform, v.Version)
			if err != nil {
				return err
			}
			if used {
				found.add("applications", "version %q of %q on %s is missing, but it has registered installations: keep it and set its status to DISABLED", v.Version, a.ID, v.Platform)
			}
		}
	}
	return nil
}
