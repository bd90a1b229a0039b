package store

import (
	"fmt"
	"time"
)

// State is where an authentication transaction stands.
type State string

// The states. The last four are final. EXPIRED is virtual: every reader computes it.
const (
	Created       State = "CREATED"
	Pending       State = "PENDING"
	Fetched       State = "FETCHED"
	SMSSent       State = "SMS_SENT"
	Authenticated State = "AUTHENTICATED"
	Rejected      State = "REJECTED"
	Failed        State = "FAILED"
	Expired       State = "EXPIRED"
)

// moves is the table of legal moves; a test walks all pairs.
var moves = map[State][]State{
	Created: {Pending, Fetched, Failed, Expired},
	Pending: {Fetched, Failed, Expired},
	Fetched: {Authenticated, Rejected, Failed, Expired},
	SMSSent: {Authenticated, Failed, Expired},
}

// CanMoveTo tells whether a transaction may move from s to next.
func (s State) CanMoveTo(next State) bool {
	for _, to := range moves[s] {
		if to == next {
			return true
		}
	}
	return false
}

// Final tells whether s is never left.
func (s State) Final() bool { return len(moves[s]) == 0 }

// Method is how a transaction is, or was, answered.
type Method string

// The methods, as configuration and portal API spell them.
const (
	Push                        Method = "PUSH"
	PushWithPIN                 Method = "PUSH_WITH_PIN"
	PushWithFingerprint         Method = "PUSH_WITH_FINGERPRINT"
	PushWithFIDO                Method = "PUSH_WITH_FIDO"
	PushWithCustomAuthenticator Method = "PUSH_WITH_CUSTOM_AUTHENTICATOR"
	OTP                         Method = "OTP"
	SMS                         Method = "SMS"
)

// Reason tells why a transaction ended without authentication, as the portal's result spells it.
type Reason string

// The reasons.
const (
	FailedToSend   Reason = "failed_to_send"
	InvalidRequest Reason = "invalid_request"
	NotAccepted    Reason = "not_accepted"
	InvalidAnswer  Reason = "invalid_answer"
)

// Transaction is one authentication in flight: Redis hash "{tx:<ID>}:rec", kept until an hour after its end.
type Transaction struct {
	ID             string // UUID v4
	State          State
	Version        int // raised by every move
	Type           string
	Method         Method
	UserID         string
	ProfileID      string
	ClientID       string
	Application    string
	Platform       string
	EnrollmentID   string
	APIClient      string // who started it
	APIVersion     int    // of the portal API: 2, 3 or 4
	AnswerVersion  int    // 1, or 2 when a signature is asked
	CallbackURI    string
	Message        string
	SecureMessage  string // sealed at rest
	SigningData    string // sealed at rest
	Language       string
	MaxResends     int
	Resends        int
	Challenge      string    // base64url, 32 bytes: what the next answer must repeat
	PINAttempts    int       // in this transaction, the good one included
	InvalidAnswers int       // signed but unacceptable answers
	CreatedAt      time.Time // UTC, milliseconds
	FetchedAt      time.Time
	ExpiresAt      time.Time // answers are refused from this instant on
}

// Open tells whether the transaction may still be fetched or answered at that moment.
func (t Transaction) Open(now time.Time) bool {
	return !t.State.Final() && now.Before(t.ExpiresAt)
}

// TransactionChange is what a move of a transaction sets beside its state. Zero fields stay as they are.
type TransactionChange struct {
	Version        int    // the version that the caller has read and that the move needs; 0 = any
	Challenge      string // what the next answer must repeat
	Resends        int    // added
	PINAttempts    int    // added
	InvalidAnswers int    // added
}

// StateError tells in which state a transaction was when a move was refused. It matches ErrConflict.
type StateError struct {
	State State
}

// Error implements error.
func (e StateError) Error() string { return fmt.Sprintf("transaction is %s", e.State) }

// Is lets errors.Is(err, ErrConflict) match.
func (e StateError) Is(target error) bool { return target == ErrConflict }

// TransactionAnswer is the stored reply to one counted answer: the identical answer gets it again.
type TransactionAnswer struct {
	TransactionID string
	AnswerHash    []byte // unique with TransactionID
	Status        int    // of the HTTP answer
	Body          []byte // of the HTTP answer
	AnsweredAt    time.Time
	ExpiresAt     time.Time // of the transaction; the row is kept an hour longer
}

// TransactionOutcome is the durable decision of one transaction. Its row is inserted once; whoever inserts it has won.
type TransactionOutcome struct {
	TransactionID string
	State         State // a final one
	Reason        Reason
	Method        Method // actually used
	AnswerHash    []byte // of the answer that decided; nil when the server did
	Result        []byte // JSON: all that callback and result need
	DecidedAt     time.Time
	ExpiresAt     time.Time // of the transaction; the row is kept an hour longer
}
