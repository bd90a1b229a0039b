package pushauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How result fails. It succeeds with 200 and PUSH_AUTH_TRANSACTION_RETRIEVED.
var (
	resultDisabled = disabled(audit.PushAuthTransactionNotRetrieved)
	resultUnknown  = outcome.Failure{
		Code: outcome.NotFound, Number: numberNoTransaction,
		Audit: audit.PushAuthTransactionNotRetrieved, Text: "Failed to fetch authentication message",
	}
)

// resultBody is a transaction as its portal sees it.
type resultBody struct {
	CallbackURI     string `json:"callback_uri"`
	TransactionID   string `json:"transaction_id"`
	Timestamp       int64  `json:"timestamp"` // of the start, milliseconds
	UserID          string `json:"user_id,omitempty"`
	IsAuthenticated bool   `json:"is_authenticated"`
	Method          string `json:"authentication_method,omitempty"` // actually used
	PINAttempts     int    `json:"used_authentication_attempts,omitempty"`
	*Signed
	PublicKey string        `json:"public_key,omitempty"`               // version 2: UserPublicKey under its former name
	Reason    *resultReason `json:"not_authenticated_reason,omitempty"` // no further try is possible
}

type resultReason struct {
	Reason      store.Reason `json:"reason"`
	Description string       `json:"description"`
}

// result tells how a transaction stands. Reading does not consume it.
func (p *Portal) result(c echo.Context, v version) error {
	ctx := c.Request().Context()
	audit.Know(ctx, audit.Client(apiClient(ctx)))
	if err := v.admit(p.Settings.Current(), resultDisabled); err != nil {
		return err
	}
	id := parameter(c, "transaction_id")
	if uuid.Validate(id) != nil {
		return resultUnknown.About(audit.Reason("malformed"))
	}
	audit.Know(ctx, audit.Transaction(id))
	body, err := p.decided(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		body, err = p.undecided(ctx, id)
	}
	if err != nil {
		return err
	}
	if v == v2 && body.Signed != nil {
		body.PublicKey = body.UserPublicKey
	}
	p.Audit.Record(ctx, audit.PushAuthTransactionRetrieved, audit.User(body.UserID),
		audit.Flag("is_authenticated", body.IsAuthenticated))
	return web.JSON(c, http.StatusOK, body)
}

// decided returns a transaction from its outcome row. The row comes before Redis, which may have missed the decision.
// Errors: store.ErrNotFound.
func (p *Portal) decided(ctx context.Context, id string) (resultBody, error) {
	o, err := p.Outcomes.TransactionOutcome(ctx, id)
	if err != nil {
		return resultBody{}, err
	}
	r, err := decodeResult(o.Result)
	if err != nil {
		return resultBody{}, err
	}
	if !p.owns(ctx, r.APIClient) {
		return resultBody{}, resultUnknown.About(audit.Reason("foreign"))
	}
	if r.ClientID != "" { // a device is concerned
		audit.Know(ctx, audit.Client(r.ClientID), audit.Profile(r.ProfileID))
	}
	body := resultBody{
		CallbackURI: r.CallbackURI, TransactionID: id, Timestamp: r.CreatedAt, UserID: r.UserID,
		IsAuthenticated: o.State == store.Authenticated, Method: lowerMethod(o.Method), PINAttempts: r.PINAttempts,
		Signed: r.Signed,
	}
	if !body.IsAuthenticated {
		body.Reason = &resultReason{o.Reason, reasonTexts[o.Reason]}
	}
	return body, nil
}

// undecided returns a transaction that is still open.
func (p *Portal) undecided(ctx context.Context, id string) (resultBody, error) {
	t, err := p.Transactions.Transaction(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return resultBody{}, resultUnknown.About(audit.Reason("unknown"))
	case err != nil:
		return resultBody{}, err
	case !p.owns(ctx, t.APIClient):
		return resultBody{}, resultUnknown.About(audit.Reason("foreign"))
	case t.Method == store.SMS:
		return resultBody{}, resultUnknown.About(audit.Reason("sms"))
	case t.State.Final() && t.State != store.Expired: // decided between the two looks
		return p.decided(ctx, id)
	case !t.Open(p.Now()):
		return resultBody{}, resultUnknown.About(audit.Reason("expired"))
	}
	if t.ClientID != "" {
		audit.Know(ctx, audit.Client(t.ClientID), audit.Profile(t.ProfileID))
	}
	return resultBody{
		CallbackURI: t.CallbackURI, TransactionID: id, Timestamp: t.CreatedAt.UnixMilli(), UserID: t.UserID,
		PINAttempts: t.PINAttempts,
	}, nil
}
