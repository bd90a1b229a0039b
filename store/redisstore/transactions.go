package redisstore

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// How long the keys of authentication transactions are kept.
const (
	transactionGrace = time.Hour        // a transaction after its end: "expired" and "unknown" are different codes
	listGrace        = time.Minute      // the lists of an installation and of an enrollment after their last member
	replyLife        = 30 * time.Second // the reply to a fetch, for the identical proof
)

//go:embed scripts/transaction_create.lua
var transactionCreate string

//go:embed scripts/transaction_admit.lua
var transactionAdmit string

//go:embed scripts/transaction_list.lua
var transactionList string

//go:embed scripts/transaction_move.lua
var transactionMove string

//go:embed scripts/transaction_fetch.lua
var transactionFetch string

//go:embed scripts/transaction_challenge.lua
var transactionChallenge string

//go:embed scripts/transaction_resend.lua
var transactionResend string

//go:embed scripts/transaction_forget.lua
var transactionForget string

// The scripts that move transactions. Each touches the keys of one transaction, or one list.
var (
	createScript    = redis.NewScript(transactionCreate)
	admitScript     = redis.NewScript(transactionAdmit)
	listScript      = redis.NewScript(transactionList)
	moveScript      = redis.NewScript(transactionMove)
	fetchScript     = redis.NewScript(transactionFetch)
	challengeScript = redis.NewScript(transactionChallenge)
	resendScript    = redis.NewScript(transactionResend)
	forgetScript    = redis.NewScript(transactionForget)
)

func recordKey(id string) string         { return "{tx:" + id + "}:rec" }
func replyKey(id string) string          { return "{tx:" + id + "}:fetch" }
func openOfClientKey(id string) string   { return "pend:{" + id + "}" }
func openOfEnrolledKey(id string) string { return "enrtx:{" + id + "}" }

// CreateTransaction writes a new transaction and lists it as open for its installation and enrollment; one without an
// installation (OTP) is on no list. It returns how many the installation has open, this one included.
// Errors: store.ErrConflict when the installation has limit open already, or the id is taken.
func (s *Store) CreateTransaction(ctx context.Context, t store.Transaction, limit int) (open int, err error) {
	args := append([]any{(t.ExpiresAt.Sub(s.now()) + transactionGrace).Milliseconds()}, transactionFields(t)...)
	made, err := createScript.Run(ctx, s.client, []string{recordKey(t.ID)}, args...).Text()
	switch {
	case err != nil:
		return 0, fmt.Errorf("create transaction: %w", unavailable(err))
	case made != "OK":
		return 0, fmt.Errorf("create transaction: id is taken: %w", store.ErrConflict)
	case t.ClientID == "":
		return 0, nil
	}
	// The record stands before it is listed: whoever reads a list may drop what has no record.
	if open, err = s.admit(ctx, t, limit); err != nil {
		return 0, errors.Join(err, s.drop(ctx, t))
	}
	if t.EnrollmentID != "" {
		life := t.ExpiresAt.Sub(s.now()) + listGrace
		err = listScript.Run(ctx, s.client, []string{openOfEnrolledKey(t.EnrollmentID)}, t.ID, life.Milliseconds()).Err()
		if err != nil {
			return 0, errors.Join(fmt.Errorf("list transaction: %w", unavailable(err)), s.drop(ctx, t))
		}
	}
	return open, nil
}

func (s *Store) admit(ctx context.Context, t store.Transaction, limit int) (int, error) {
	key := openOfClientKey(t.ClientID)
	for cleaned := false; ; cleaned = true {
		open, err := admitScript.Run(ctx, s.client, []string{key}, t.ID, t.ExpiresAt.UnixMilli(), limit,
			listGrace.Milliseconds()).Int()
		switch {
		case err != nil:
			return 0, fmt.Errorf("list transaction: %w", unavailable(err))
		case open > 0:
			return open, nil
		case cleaned:
			return 0, fmt.Errorf("too many open transactions: %w", store.ErrConflict)
		}
		// Some of them may have ended without leaving the list: a crash between two keys.
		if _, err := s.listed(ctx, key); err != nil {
			return 0, err
		}
	}
}

// drop undoes the creation of a transaction that nobody has heard of yet.
func (s *Store) drop(ctx context.Context, t store.Transaction) error {
	return errors.Join(unavailable(s.client.Del(ctx, recordKey(t.ID)).Err()), s.unlist(ctx, t.ID, t.ClientID, t.EnrollmentID))
}

// Transaction returns a transaction. One whose time is over shows the state EXPIRED, whatever is stored.
// Errors: store.ErrNotFound.
func (s *Store) Transaction(ctx context.Context, id string) (store.Transaction, error) {
	fields, err := s.client.HGetAll(ctx, recordKey(id)).Result()
	if err != nil {
		return store.Transaction{}, fmt.Errorf("read transaction: %w", unavailable(err))
	}
	if len(fields) == 0 {
		return store.Transaction{}, store.ErrNotFound
	}
	return s.transaction(id, fields), nil
}

// MoveTransaction moves a transaction from one of the states to another, or leaves it as it is: of several callers
// racing for one move exactly one succeeds. A move to a final state follows a decision in SQL, so time has no say in it;
// EXPIRED needs the time to be over. A final move takes the transaction off the lists.
// Errors: store.ErrNotFound, store.ErrExpired, store.StateError (also when the table of moves forbids it).
func (s *Store) MoveTransaction(ctx context.Context, id string, from []store.State, to store.State, change store.TransactionChange) error {
	var legal strings.Builder
	for _, state := range from {
		if state.CanMoveTo(to) {
			legal.WriteString("," + string(state) + ",")
		}
	}
	decided, life := 0, int64(0)
	if to.Final() {
		decided, life = 1, transactionGrace.Milliseconds()
	}
	answer, err := moveScript.Run(ctx, s.client, []string{recordKey(id)}, legal.String(), string(to), change.Version,
		decided, life, change.Challenge, change.Resends, change.PINAttempts, change.InvalidAnswers).StringSlice()
	if err := moved(answer, err); err != nil {
		return fmt.Errorf("move transaction to %s: %w", to, err)
	}
	if !to.Final() {
		return nil
	}
	return s.unlist(ctx, id, answer[1], answer[2])
}

// ForgetTransaction deletes a transaction whose push was not accepted, unless the phone was faster.
// Errors: store.ErrNotFound, store.StateError when it is not CREATED any more.
func (s *Store) ForgetTransaction(ctx context.Context, t store.Transaction) error {
	answer, err := forgetScript.Run(ctx, s.client, []string{recordKey(t.ID)}).StringSlice()
	if err := moved(answer, err); err != nil {
		return fmt.Errorf("forget transaction: %w", err)
	}
	return s.unlist(ctx, t.ID, t.ClientID, t.EnrollmentID)
}

// unlist takes a transaction off its lists. They are filtered when read, so a crash before this does no harm.
func (s *Store) unlist(ctx context.Context, id, clientID, enrollmentID string) error {
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		if clientID != "" {
			p.ZRem(ctx, openOfClientKey(clientID), id)
		}
		if enrollmentID != "" {
			p.SRem(ctx, openOfEnrolledKey(enrollmentID), id)
		}
		return nil
	})
	return unavailable(err)
}

// FetchTransaction moves a transaction to FETCHED with its first challenge, and keeps the reply for 30 s: of two
// parallel fetches exactly one succeeds. proof is a hash of the fetch proof. When the identical proof comes again within
// that time, the reply that it got then is returned, and nothing else happens. An empty reply is never repeated.
// Errors: store.ErrNotFound, store.ErrExpired, store.StateError (FETCHED: somebody fetched before).
func (s *Store) FetchTransaction(ctx context.Context, id, proof, challenge, reply string) (repeat string, err error) {
	answer, err := fetchScript.Run(ctx, s.client, []string{recordKey(id), replyKey(id)}, proof, challenge, reply,
		replyLife.Milliseconds()).StringSlice()
	if err == nil && answer[0] == "REPEAT" {
		return answer[1], nil
	}
	if err := moved(answer, err); err != nil {
		return "", fmt.Errorf("fetch transaction: %w", err)
	}
	return "", nil
}

// NewChallenge replaces the challenge of a fetched transaction after an answer that did not end it, and adds the
// counters of change. Errors: store.ErrNotFound, store.ErrExpired, store.StateError (also: old is not current).
func (s *Store) NewChallenge(ctx context.Context, id, old, next string, change store.TransactionChange) error {
	answer, err := challengeScript.Run(ctx, s.client, []string{recordKey(id)}, old, next, change.PINAttempts,
		change.InvalidAnswers).StringSlice()
	if err := moved(answer, err); err != nil {
		return fmt.Errorf("new challenge: %w", err)
	}
	return nil
}

// CountResend counts a resend before it is made; it tells false when the limit is reached.
// Errors: store.ErrNotFound, store.ErrExpired, store.StateError (fetched already, or finished).
func (s *Store) CountResend(ctx context.Context, id string) (counted bool, err error) {
	answer, err := resendScript.Run(ctx, s.client, []string{recordKey(id)}, 1).StringSlice()
	if err == nil && answer[0] == "LIMIT" {
		return false, nil
	}
	if err := moved(answer, err); err != nil {
		return false, fmt.Errorf("count resend: %w", err)
	}
	return true, nil
}

// ReturnResend gives a counted resend back: the send came to nothing. Errors: store.ErrNotFound.
func (s *Store) ReturnResend(ctx context.Context, id string) error {
	answer, err := resendScript.Run(ctx, s.client, []string{recordKey(id)}, -1).StringSlice()
	if err := moved(answer, err); err != nil {
		return fmt.Errorf("return resend: %w", err)
	}
	return nil
}

// PendingOf returns the open push transactions of an installation that were not fetched yet, oldest first.
func (s *Store) PendingOf(ctx context.Context, clientID string) ([]store.Transaction, error) {
	open, err := s.listed(ctx, openOfClientKey(clientID))
	return slices.DeleteFunc(open, func(t store.Transaction) bool { return t.State == store.Fetched }), err
}

// CountOpen returns how many open push transactions an installation has, fetched ones included.
func (s *Store) CountOpen(ctx context.Context, clientID string) (int, error) {
	open, err := s.listed(ctx, openOfClientKey(clientID))
	return len(open), err
}

// OpenOf returns the open transactions of an enrollment, oldest first.
func (s *Store) OpenOf(ctx context.Context, enrollmentID string) ([]store.Transaction, error) {
	return s.listed(ctx, openOfEnrolledKey(enrollmentID))
}

// listed reads the open transactions of one list, and drops from it what is not open any more.
func (s *Store) listed(ctx context.Context, key string) ([]store.Transaction, error) {
	var ids []string
	var err error
	ofClient := strings.HasPrefix(key, "pend:")
	if ofClient {
		ids, err = s.client.ZRange(ctx, key, 0, -1).Result()
	} else {
		ids, err = s.client.SMembers(ctx, key).Result()
	}
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", unavailable(err))
	}
	if len(ids) == 0 {
		return nil, nil
	}
	records := make([]*redis.MapStringStringCmd, len(ids))
	_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			records[i] = p.HGetAll(ctx, recordKey(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", unavailable(err))
	}
	var open []store.Transaction
	var ended []any
	for i, id := range ids {
		if t := s.transaction(id, records[i].Val()); len(records[i].Val()) > 0 && t.Open(s.now()) {
			open = append(open, t)
		} else {
			ended = append(ended, id)
		}
	}
	if len(ended) > 0 {
		if ofClient {
			err = s.client.ZRem(ctx, key, ended...).Err()
		} else {
			err = s.client.SRem(ctx, key, ended...).Err()
		}
	}
	slices.SortFunc(open, func(a, b store.Transaction) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return open, unavailable(err)
}

// moved reads the answer of a script.
func moved(answer []string, err error) error {
	switch {
	case err != nil:
		return unavailable(err)
	case answer[0] == "GONE":
		return store.ErrNotFound
	case answer[0] == "EXPIRED":
		return store.ErrExpired
	case answer[0] == "STATE":
		return store.StateError{State: store.State(answer[1])}
	}
	return nil
}

// transactionFields lists the fields of the hash and their values.
func transactionFields(t store.Transaction) []any {
	return []any{
		"state", string(t.State), "v", t.Version, "type", t.Type, "method", string(t.Method),
		"user_id", t.UserID, "profile_id", t.ProfileID, "client_id", t.ClientID, "app_id", t.Application,
		"platform", t.Platform, "enrollment_id", t.EnrollmentID, "api_client", t.APIClient,
		"api_version", t.APIVersion, "answer_version", t.AnswerVersion, "callback_uri", t.CallbackURI,
		"message", t.Message, "secure_message", t.SecureMessage, "signing_data", t.SigningData, "language", t.Language,
		"max_resends", t.MaxResends, "resends", t.Resends, "challenge", t.Challenge, "pin_attempts", t.PINAttempts,
		"invalid_answers", t.InvalidAnswers, "created_at", millis(t.CreatedAt), "fetched_at", millis(t.FetchedAt),
		"expires_at", millis(t.ExpiresAt),
	}
}

// transaction undoes transactionFields, and computes what only time decides.
func (s *Store) transaction(id string, f map[string]string) store.Transaction {
	number := func(name string) int {
		n, _ := strconv.Atoi(f[name]) // this package wrote it; an absent field is zero
		return n
	}
	moment := func(name string) time.Time {
		if n, err := strconv.ParseInt(f[name], 10, 64); err == nil && n != 0 {
			return time.UnixMilli(n).UTC()
		}
		return time.Time{}
	}
	t := store.Transaction{
		ID: id, State: store.State(f["state"]), Version: number("v"), Type: f["type"], Method: store.Method(f["method"]),
		UserID: f["user_id"], ProfileID: f["profile_id"], ClientID: f["client_id"], Application: f["app_id"],
		Platform: f["platform"], EnrollmentID: f["enrollment_id"], APIClient: f["api_client"],
		APIVersion: number("api_version"), AnswerVersion: number("answer_version"), CallbackURI: f["callback_uri"],
		Message: f["message"], SecureMessage: f["secure_message"], SigningData: f["signing_data"], Language: f["language"],
		MaxResends: number("max_resends"), Resends: number("resends"), Challenge: f["challenge"],
		PINAttempts: number("pin_attempts"), InvalidAnswers: number("invalid_answers"),
		CreatedAt: moment("created_at"), FetchedAt: moment("fetched_at"), ExpiresAt: moment("expires_at"),
	}
	if !t.State.Final() && !s.now().Before(t.ExpiresAt) {
		t.State = store.Expired
	}
	return t
}

// millis is how a time is stored in Redis: milliseconds since 1970 UTC, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
