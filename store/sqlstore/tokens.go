package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tokenserver/store"
)

const familyColumns = `id, client_id, profile_id, user_id, kind, scopes, generation, nonce, current_hash, previous_hash,
	used, access_token, rotated_at, created_at, expires_at, ends_at, auth_time, acr, amr, code_hash, session_id, hook_params`

// familyPerson is what is known of a family's user; of one who may not sign in there are no attributes.
const familyPerson = `, COALESCE(namespace, ''), COALESCE(username, ''), attributes`

// familiesWithPeople is the families with their users. No column of the accounts has the name of one of the families.
const familiesWithPeople = ` FROM token_families LEFT JOIN (SELECT id AS account_id, namespace, username, attributes FROM accounts
	WHERE NOT disabled) person ON person.account_id = token_families.user_id `

// readFamilies reads families and, in the same round trip, what is known of their people.
const readFamilies = `SELECT ` + familyColumns + familyPerson + familiesWithPeople

// AddFamily inserts a family of refresh tokens. Errors: store.ErrConflict when the installation's profile has one of
// that kind, or the id exists.
func (s *Store) AddFamily(ctx context.Context, f store.TokenFamily) error {
	params, err := encodeParams(f.HookParams)
	if err != nil {
		return fmt.Errorf("add token family: %w", err)
	}
	n, err := s.exec(ctx, `INSERT INTO token_families (`+familyColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		f.ID, f.ClientID, f.ProfileID, f.UserID, string(f.Kind), strings.Join(f.Scopes, " "), f.Generation, f.Nonce,
		f.CurrentHash, f.PreviousHash, f.Used, f.AccessToken, micros(f.RotatedAt), micros(f.CreatedAt), micros(f.ExpiresAt),
		micros(f.EndsAt), micros(f.AuthTime), f.ACR, strings.Join(f.AMR, " "), f.CodeHash,
		f.SessionID, params)
	if err != nil {
		return fmt.Errorf("add token family: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// FamilyOfProfile returns the family of one kind of an installation's profile. In a transaction nobody else changes it
// until the end. Errors: store.ErrNotFound.
func (s *Store) FamilyOfProfile(ctx context.Context, clientID, profileID string, kind store.TokenKind) (store.TokenFamily, error) {
	return s.family(ctx, `WHERE client_id = ? AND profile_id = ? AND kind = ?`, clientID, profileID, string(kind))
}

// Family returns the family with that id. In a transaction nobody else changes it until the end.
// Errors: store.ErrNotFound.
func (s *Store) Family(ctx context.Context, id string) (store.TokenFamily, error) {
	return s.family(ctx, `WHERE id = ?`, id)
}

func (s *Store) family(ctx context.Context, where string, args ...any) (store.TokenFamily, error) {
	query := readFamilies + where
	if transactionOf(ctx) != nil {
		query += s.forUpdateOf("token_families")
	}
	var r familyRow
	err := s.row(ctx, query, args, r.columns()...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.TokenFamily{}, store.ErrNotFound
	case err != nil:
		return store.TokenFamily{}, fmt.Errorf("read token family: %w", err)
	}
	return r.family(), nil
}

// familyRow is a row of readFamilies.
type familyRow struct {
	f                                         store.TokenFamily
	scopes, amr, params                       string
	rotated, created, expires, ends, authTime int64
}

// columns returns where the columns of readFamilies go.
func (r *familyRow) columns() []any {
	f := &r.f
	return []any{
		&f.ID, &f.ClientID, &f.ProfileID, &f.UserID, &f.Kind, &r.scopes, &f.Generation, &f.Nonce, &f.CurrentHash, &f.PreviousHash,
		&f.Used, &f.AccessToken, &r.rotated, &r.created, &r.expires, &r.ends, &r.authTime, &f.ACR, &r.amr, &f.CodeHash, &f.SessionID, &r.params,
		&f.Namespace, &f.Username, &f.UserDetails,
	}
}

func (r *familyRow) family() store.TokenFamily {
	f := r.f
	f.Scopes, f.AMR = words(r.scopes), words(r.amr)
	f.RotatedAt, f.CreatedAt, f.ExpiresAt = moment(r.rotated), moment(r.created), moment(r.expires)
	f.EndsAt, f.AuthTime = moment(r.ends), moment(r.authTime)
	f.HookParams = decodeParams(r.params)
	f.UserGone = f.UserDetails == nil
	return f
}

func scanFamily(rows *sql.Rows) (store.TokenFamily, error) {
	var r familyRow
	err := rows.Scan(r.columns()...)
	return r.family(), err
}

// RaiseForFamily counts one wrong PIN, as RaisePINFailures does, and returns the family to compare with, locked, all in
// one round trip. Errors: store.ErrNotFound when nothing was counted: there is no profile, no family, or the limit had
// been reached; RaisePINFailures tells which.
func (s *Store) RaiseForFamily(ctx context.Context, clientID, profileID string, limit int) (int, store.TokenFamily, error) {
	const counted = `UPDATE profiles SET pin_failures = pin_failures + 1
		WHERE client_id = ? AND profile_id = ? AND (CAST(? AS INTEGER) = 0 OR pin_failures < ?) AND `
	args := []any{clientID, profileID, limit, limit}
	kind := string(store.DefaultToken)
	var failures int
	var f store.TokenFamily
	if s.engine == sqlite { // statements cost no round trip there
		err := s.row(ctx, counted+`EXISTS (SELECT 1 FROM token_families f WHERE f.client_id = profiles.client_id
			AND f.profile_id = profiles.profile_id AND f.kind = ?) RETURNING pin_failures`, append(args, kind), &failures)
		if err != nil {
			return 0, f, fmt.Errorf("raise PIN failures: %w", err)
		}
		f, err := s.FamilyOfProfile(ctx, clientID, profileID, store.DefaultToken)
		return failures, f, err
	}
	// First both rows are locked, the profile before its family as everywhere, and who waited sees their newest versions.
	// Only with a family there is something to compare, and so something to count: one that is deleted meanwhile counts
	// nothing.
	var r familyRow
	err := s.row(ctx, `WITH p AS (SELECT client_id FROM profiles WHERE client_id = ? AND profile_id = ? FOR UPDATE),
		f AS (SELECT `+familyColumns+`, namespace, username, attributes `+familiesWithPeople+`
			WHERE client_id = (SELECT client_id FROM p) AND profile_id = ? AND kind = ? FOR UPDATE OF token_families),
		raised AS (`+counted+`EXISTS (SELECT 1 FROM f) RETURNING pin_failures)
		SELECT raised.pin_failures, `+familyColumns+familyPerson+` FROM raised, f`,
		append([]any{clientID, profileID, profileID, kind}, args...), append([]any{&failures}, r.columns()...)...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, f, store.ErrNotFound
	case err != nil:
		return 0, f, fmt.Errorf("raise PIN failures: %w", err)
	}
	return failures, r.family(), nil
}

// encodeParams writes the parameters for hooks as JSON; none is "".
func encodeParams(params map[string][]string) (string, error) {
	if len(params) == 0 {
		return "", nil
	}
	text, err := json.Marshal(params)
	return string(text), err
}

// decodeParams reads what encodeParams wrote.
func decodeParams(text string) map[string][]string {
	var params map[string][]string
	if text == "" || json.Unmarshal([]byte(text), &params) != nil {
		return nil
	}
	return params
}

// words splits a list that was joined with blanks; none is nil.
func words(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, " ")
}

const rotateFamily = `UPDATE token_families SET generation = ?, current_hash = ?, previous_hash = ?, used = ?,
	access_token = ?, rotated_at = ?, expires_at = ? WHERE id = ? AND generation = ?`

func rotation(from int, f store.TokenFamily) []any {
	return []any{
		f.Generation, f.CurrentHash, f.PreviousHash, f.Used, f.AccessToken, micros(f.RotatedAt), micros(f.ExpiresAt), f.ID, from,
	}
}

// RotateFamily gives the family its next refresh token: generation, hashes, used, access token, times. Of several
// callers at one generation exactly one succeeds. Former tokens need not be kept: they can be derived again.
// Errors: store.ErrConflict when the family is gone or not at from any more.
func (s *Store) RotateFamily(ctx context.Context, from int, f store.TokenFamily) error {
	return s.rotate(ctx, from, f, "", nil)
}

// RotateFamilyByPIN is RotateFamily after a right PIN: in the same round trip the failures of the profile go to 0, and
// the time of its last login is that of the rotation. Errors as RotateFamily.
func (s *Store) RotateFamilyByPIN(ctx context.Context, from int, f store.TokenFamily) error {
	return s.rotate(ctx, from, f, `UPDATE profiles SET pin_failures = 0, last_login = ? WHERE client_id = ? AND profile_id = ?`,
		[]any{micros(f.RotatedAt), f.ClientID, f.ProfileID})
}

// rotate runs a first statement, if there is one, and the rotation: in one round trip on PostgreSQL.
func (s *Store) rotate(ctx context.Context, from int, f store.TokenFamily, first string, args []any) error {
	if first == "" {
		return rotated(s.exec(ctx, rotateFamily, rotation(from, f)...))
	}
	if s.engine == postgreSQL {
		return rotated(s.exec(ctx, `WITH first AS (`+first+`) `+rotateFamily, append(args, rotation(from, f)...)...))
	}
	if _, err := s.exec(ctx, first, args...); err != nil {
		return fmt.Errorf("reset PIN failures: %w", err)
	}
	return rotated(s.exec(ctx, rotateFamily, rotation(from, f)...))
}

func rotated(n int64, err error) error {
	if err != nil {
		return fmt.Errorf("rotate token family: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// TouchFamily stores the newest access token of a family and whether its current refresh token has been used, if the
// family is still at that generation.
func (s *Store) TouchFamily(ctx context.Context, id string, generation int, used bool, accessToken string) error {
	_, err := s.exec(ctx, `UPDATE token_families SET used = ?, access_token = ? WHERE id = ? AND generation = ?`,
		used, accessToken, id, generation)
	if err != nil {
		return fmt.Errorf("touch token family: %w", err)
	}
	return nil
}

// DeleteFamilies removes the families that match and returns their ids. An empty filter matches nothing.
func (s *Store) DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error) {
	where, args := filterFamilies(which)
	var ids []string
	err := s.each(ctx, `DELETE FROM token_families WHERE `+where+` RETURNING id`, args, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("delete token families: %w", err)
	}
	return ids, nil
}

// ForgetFamilies removes the families whose last token or whose whole time was over before a moment, and returns how
// many there were.
func (s *Store) ForgetFamilies(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM token_families WHERE expires_at > 0 AND expires_at < ? OR ends_at > 0 AND ends_at < ?`,
		micros(before), micros(before))
	if err != nil {
		return 0, fmt.Errorf("forget token families: %w", err)
	}
	return n, nil
}

// HasFamily tells whether a family that matches has not ended by now.
func (s *Store) HasFamily(ctx context.Context, which store.FamilyFilter, now time.Time) (bool, error) {
	where, args := filterFamilies(which)
	var has bool
	err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM token_families WHERE `+where+`
		AND (expires_at = 0 OR expires_at > ?) AND (ends_at = 0 OR ends_at > ?))`, append(args, micros(now), micros(now)), &has)
	if err != nil {
		return false, fmt.Errorf("look for token families: %w", err)
	}
	return has, nil
}

// Families returns the families that match, oldest first.
func (s *Store) Families(ctx context.Context, which store.FamilyFilter) ([]store.TokenFamily, error) {
	where, args := filterFamilies(which)
	var list []store.TokenFamily
	err := s.each(ctx, readFamilies+`WHERE `+where+` ORDER BY created_at, id`, args,
		func(rows *sql.Rows) error {
			f, err := scanFamily(rows)
			list = append(list, f)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list token families: %w", err)
	}
	return list, nil
}

func filterFamilies(which store.FamilyFilter) (string, []any) {
	var conditions []string
	var args []any
	add := func(column string, value any) {
		conditions, args = append(conditions, column+" = ?"), append(args, value)
	}
	for _, c := range [...]struct{ column, value string }{
		{"id", which.ID},
		{"client_id", which.ClientID},
		{"profile_id", which.ProfileID},
		{"user_id", which.UserID},
		{"kind", string(which.Kind)},
		{"session_id", which.SessionID},
	} {
		if c.value != "" {
			add(c.column, c.value)
		}
	}
	if len(conditions) == 0 {
		return "1 = 0", nil
	}
	return strings.Join(conditions, " AND "), args
}
