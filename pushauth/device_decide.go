package pushauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	protocol "tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How an answer fails that counted: each of these is committed together with what it changes.
var (
	answerRevoked = outcome.Failure{
		Code:  outcome.InvalidTransaction,
		Audit: audit.PushAuthNotAuthenticatedInvalidTransaction, Text: "there is no such transaction to answer",
		Attrs: []audit.Attr{audit.Reason("revoked")},
	}
	answerWrongPIN = outcome.Failure{
		Code:  outcome.InvalidRefreshToken,
		Audit: audit.PushAuthNotAuthenticatedInvalidRefreshToken, Text: "the refresh token is not right",
	}
	answerPINLimit = outcome.Failure{
		Code:  outcome.UserRevoked,
		Audit: audit.PushAuthValidationPINLimitExceeded, Text: "too many wrong refresh tokens: the user has been removed from this installation",
	}
	answerWrongSignature = outcome.Failure{
		Code:  outcome.InvalidSignature,
		Audit: audit.PushAuthNotAuthenticatedInvalidToken, Text: "the signature over the transaction is not right",
		Attrs: []audit.Attr{audit.Reason("transaction_signature")},
	}
)

const (
	maxInvalidAnswers = 3                // signed but unacceptable ones, before the transaction fails
	repeatable        = 60 * time.Second // how long an identical answer gets the identical reply

	signingVersion = 2 // of the answer: it carries a signature over the transaction
)

var (
	// errRevoked: the enrollment, the user or the installation is gone.
	errRevoked = errors.New("revoked while the transaction was open")
	// errTaken: another answer, or a revocation, was faster.
	errTaken = errors.New("the transaction or the challenge has been taken")
)

// settle runs the one SQL transaction that decides about an answer. The reply belongs to a success; a failure that
// counted comes back as the failure that it is. Of several answers racing, the losers get a repeat or a conflict.
func (d *Device) settle(ctx context.Context, p *presented, decide func(context.Context) (store.TransactionAnswer, error)) (store.TransactionAnswer, error) {
	var reply store.TransactionAnswer
	err := d.Enrollments.InTx(ctx, func(ctx context.Context) error {
		var err error
		reply, err = decide(ctx)
		return err
	})
	if !errors.Is(err, errTaken) {
		return reply, err
	}
	reply, err = d.repeat(ctx, p.ID, p.hash)
	if errors.Is(err, store.ErrNotFound) {
		return reply, answerConflict.Because(errTaken).About(audit.Reason("lost_race"))
	}
	return reply, err
}

// judge decides about an answer that fits its transaction: the state is read again under lock, then the user's
// decision counts.
func (d *Device) judge(ctx context.Context, p *presented) (store.TransactionAnswer, error) {
	none := store.TransactionAnswer{}
	if err := d.lock(ctx, p); err != nil {
		if errors.Is(err, errRevoked) {
			return none, d.endRevoked(ctx, p)
		}
		return none, err
	}
	// One answer for each challenge, whatever it says, and before anything is compared: of two that race for a challenge
	// the second finds the mark. Were it set after the comparison, a right PIN among many wrong ones would find none.
	if err := d.spendChallenge(ctx, p); err != nil {
		return none, err
	}
	if p.claims.Response == deny {
		err := d.decide(ctx, p, Ending{State: store.Rejected, Reason: store.NotAccepted, PINAttempts: p.PINAttempts})
		if err != nil {
			return none, err
		}
		d.Audit.Record(ctx, audit.PushAuthNotAuthenticated, audit.Detail("method", string(p.Method)))
		return denied(p.ID), nil
	}
	ending := Ending{State: store.Authenticated, Method: p.Method, PINAttempts: p.PINAttempts}
	if p.AnswerVersion == signingVersion {
		var err error
		if ending.Signed, err = d.verifyTransaction(p); err != nil {
			return none, err
		}
		if !ending.Signed.Verified { // before the token is consumed
			return none, d.end(ctx, p, answerWrongSignature,
				Ending{State: store.Failed, Reason: store.InvalidAnswer, PINAttempts: p.PINAttempts, Signed: ending.Signed})
		}
	}
	if p.withPIN() {
		ending.Method = store.PushWithPIN
		ending.PINAttempts++
		if err := d.checkPIN(ctx, p); err != nil {
			return none, err
		}
	}
	if err := d.decide(ctx, p, ending); err != nil {
		return none, err
	}
	d.Audit.Record(ctx, audit.PushAuthAuthenticated, audit.Detail("method", string(ending.Method)))
	return authenticated(p.ID), nil
}

// lock reads everything again that may have been revoked since the checks; what committed first wins.
func (d *Device) lock(ctx context.Context, p *presented) error {
	now, err := d.Enrollments.LockAnswering(ctx, p.EnrollmentID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errRevoked
	case err != nil:
		return fmt.Errorf("read again under lock: %w", err)
	case now.ClientID != p.ClientID || now.ProfileID != p.ProfileID || now.UserID != p.UserID:
		return errRevoked
	case !appgate.Usable(p.settings.Version(now.Application, now.Platform, now.Version)):
		return deviceVersionOff
	}
	return nil
}

// revoked fails a transaction whose enrollment or installation is gone already.
func (d *Device) revoked(ctx context.Context, p *presented) error {
	_, err := d.settle(ctx, p, func(ctx context.Context) (store.TransactionAnswer, error) {
		return store.TransactionAnswer{}, d.endRevoked(ctx, p)
	})
	return err
}

// endRevoked ends a transaction whose user cannot answer any more. Usually the removal has done so: then there is
// nothing to commit but the event.
func (d *Device) endRevoked(ctx context.Context, p *presented) error {
	err := d.end(ctx, p, answerRevoked, Ending{State: store.Failed, Reason: store.InvalidRequest, PINAttempts: p.PINAttempts})
	if errors.Is(err, errTaken) {
		return answerRevoked
	}
	return err
}

// verifyTransaction checks the signature over the data of the transaction, check 9.
func (d *Device) verifyTransaction(p *presented) (*Signed, error) {
	clear, err := openText(d.Keys, p.ID, signingDataField, p.SigningData)
	if err != nil {
		return nil, err
	}
	data := protocol.SignedData(p.ID, clear)
	pem, err := p.key.PEM()
	if err != nil {
		return nil, err
	}
	return &Signed{
		Signature: p.claims.Signature, SignedData: base64.StdEncoding.EncodeToString(data), UserPublicKey: pem,
		Verified: p.key.VerifyData(data, p.signature),
	}, nil
}

// checkPIN is check 8 for the PIN. The failure is counted before anything is compared. nil: the PIN was right.
func (d *Device) checkPIN(ctx context.Context, p *presented) error {
	limit := pinLimit(p.settings, p.Transaction)
	check, err := d.PINs.CheckPIN(ctx, p.ClientID, p.ProfileID, p.claims.RefreshToken, limit)
	if err != nil {
		return fmt.Errorf("check PIN: %w", err)
	}
	failed := Ending{State: store.Failed, Reason: store.InvalidAnswer, PINAttempts: p.PINAttempts + 1}
	switch check.Result {
	case token.PINRight:
		return nil
	case token.PINWrong:
		return d.wrongPIN(ctx, p, check, limit)
	case token.PINLimit:
		failure := answerPINLimit.With("used_attempts", check.Used).With("max_attempts", limit).With("remaining_attempts", 0).
			About(audit.Count("attempts", check.Used), audit.Count("max", limit))
		err := d.end(ctx, p, failure, failed)
		if _, counted := store.Kept(err); !counted {
			return err
		}
		if err := d.Lifecycle.RemoveProfile(ctx, p.ClientID, p.ProfileID, p.ID); err != nil {
			return fmt.Errorf("remove user at the PIN limit: %w", err)
		}
		return err
	case token.PINReused:
		return d.end(ctx, p, answerWrongPIN.With("remaining_attempts", 0).About(audit.Reason("reuse")), failed)
	case token.PINExpired:
		failed.Reason = store.InvalidRequest
		return d.end(ctx, p, answerWrongPIN.About(audit.Reason("expired")), failed)
	case token.PINNoToken, token.PINNoAccount:
		failed.Reason = store.InvalidRequest
		return d.end(ctx, p, answerWrongPIN.About(audit.Reason(string(check.Result))), failed)
	}
	return fmt.Errorf("check PIN: unknown result %q", check.Result)
}

// wrongPIN keeps the transaction open for another try with another challenge.
func (d *Device) wrongPIN(ctx context.Context, p *presented, check token.PINCheck, limit int) error {
	next := secret.NewChallenge()
	var remaining any // null = unlimited
	if limit > 0 {
		remaining = check.Remaining
	}
	failure := answerWrongPIN.With("used_attempts", check.Used).With("max_attempts", limit).
		With("remaining_attempts", remaining).With("challenge", next).
		About(audit.Count("attempts", check.Used), audit.Count("max", limit))
	return d.stayOpen(ctx, p, failure, next, store.TransactionChange{PINAttempts: 1})
}

// spendChallenge marks the challenge of the transaction as answered. Errors: errTaken when it has been.
func (d *Device) spendChallenge(ctx context.Context, p *presented) error {
	return d.remember(ctx, store.TransactionAnswer{
		TransactionID: p.ID, AnswerHash: d.Keys.MAC(secret.ForAnswer, "challenge", p.Challenge), ExpiresAt: p.ExpiresAt,
	})
}

// unfit counts an answer that is signed but does not fit; the third one ends the transaction.
func (d *Device) unfit(ctx context.Context, p *presented, reason string) (store.TransactionAnswer, error) {
	failure := answerBadClaims.About(audit.Reason(reason))
	if p.InvalidAnswers+1 >= maxInvalidAnswers {
		return store.TransactionAnswer{}, d.end(ctx, p, failure.About(audit.Count("invalid_answers", p.InvalidAnswers+1)),
			Ending{State: store.Failed, Reason: store.InvalidAnswer, PINAttempts: p.PINAttempts})
	}
	return store.TransactionAnswer{}, d.stayOpen(ctx, p, failure, p.Challenge, store.TransactionChange{InvalidAnswers: 1})
}

// decide ends the transaction. Errors: errTaken.
func (d *Device) decide(ctx context.Context, p *presented, ending Ending) error {
	ending.AnswerHash = p.hash
	err := d.Endings.End(ctx, p.Transaction, ending)
	if errors.Is(err, store.ErrConflict) {
		return errTaken
	}
	return err
}

// end ends the transaction with a failure that counts: it is recorded, and its reply kept, in the same commit.
func (d *Device) end(ctx context.Context, p *presented, f outcome.Failure, ending Ending) error {
	if err := d.decide(ctx, p, ending); err != nil {
		return err
	}
	return d.counted(ctx, p, f)
}

// stayOpen is end for an answer that does not end the transaction.
func (d *Device) stayOpen(ctx context.Context, p *presented, f outcome.Failure, next string, change store.TransactionChange) error {
	err := d.counted(ctx, p, f)
	if _, counted := store.Kept(err); counted {
		store.AfterCommit(ctx, func(ctx context.Context) {
			// If Redis does not follow, the old challenge is dead all the same, and the transaction expires.
			_ = d.Transactions.NewChallenge(ctx, p.ID, p.Challenge, next, change)
		})
	}
	return err
}

// counted records a failure and keeps its reply for the identical answer. The result commits: see store.Keep.
func (d *Device) counted(ctx context.Context, p *presented, f outcome.Failure) error {
	err := d.remember(ctx, store.TransactionAnswer{
		TransactionID: p.ID, AnswerHash: p.hash, Status: f.Code.Status(), Body: web.FailureBody(f), ExpiresAt: p.ExpiresAt,
	})
	if err != nil {
		return err
	}
	return store.Keep(f.Recorded(ctx, d.Audit))
}

// remember keeps a reply. Errors: errTaken when it is kept already.
func (d *Device) remember(ctx context.Context, a store.TransactionAnswer) error {
	a.AnsweredAt = d.Now()
	err := d.Outcomes.AddAnswer(ctx, a)
	if errors.Is(err, store.ErrConflict) {
		return errTaken
	}
	return err
}

// repeat returns the reply that the identical answer got within the last minute. Errors: store.ErrNotFound.
func (d *Device) repeat(ctx context.Context, id string, hash []byte) (store.TransactionAnswer, error) {
	since := d.Now().Add(-repeatable)
	reply, err := d.Outcomes.Answer(ctx, id, hash)
	if err == nil {
		if reply.AnsweredAt.Before(since) {
			return reply, store.ErrNotFound
		}
		return reply, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return reply, err
	}
	o, err := d.Outcomes.TransactionOutcome(ctx, id)
	if err != nil {
		return store.TransactionAnswer{}, err
	}
	if string(o.AnswerHash) != string(hash) || o.DecidedAt.Before(since) {
		return store.TransactionAnswer{}, store.ErrNotFound
	}
	switch o.State {
	case store.Authenticated:
		return authenticated(id), nil
	case store.Rejected:
		return denied(id), nil
	default: // failures keep their reply
		return store.TransactionAnswer{}, store.ErrNotFound
	}
}
