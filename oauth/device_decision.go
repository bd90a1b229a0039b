package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/store"
)

// deviceDecisions decides device logins, once each.
type deviceDecisions struct {
	Store   transactor
	Marks   codeMarks
	Devices deviceLogins
	Now     func() time.Time
}

// decide stores a decision: d as it was read, with state APPROVED and who approved, or DENIED, which names nobody. The
// mark in SQL decides, in one transaction with the event that record writes; Redis follows. Where Redis could not follow,
// the same decision once more makes up for it, without another event. Errors: store.ErrConflict (decided before).
func (s deviceDecisions) decide(ctx context.Context, d store.DeviceAuthorization, record func(context.Context)) error {
	mark := store.UsedCode{Hash: []byte("decision " + d.ID), ClientID: d.ClientID, UserID: d.UserID, UsedAt: s.Now()}
	err := s.Store.InTx(ctx, func(ctx context.Context) error {
		err := s.Marks.MarkCodeUsed(ctx, mark)
		if err != nil {
			return err
		}
		record(ctx)
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		before, found := s.Marks.UsedCode(ctx, mark.Hash)
		if found == nil && before.UserID == d.UserID {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("decide device login: %w", err)
	}
	return s.Devices.DecideDevice(ctx, d)
}

func (b *Browser) decisions() deviceDecisions {
	return deviceDecisions{Store: b.Store, Marks: b.Marks, Devices: b.Devices, Now: b.Now}
}

// What the status page of a device login says.
const (
	deviceSuccess = "success"
	deviceTooLate = "expired"
	deviceDecided = "alreadyAuthorized"
	deviceUnknown = "invalidUserCode"
	deviceRefused = "denied"
)

// deviceResult says why a device login cannot be decided; "" = it can. Errors: what was no answer of the store.
func deviceResult(d store.DeviceAuthorization, err error) (string, error) {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return deviceUnknown, nil
	case errors.Is(err, store.ErrConflict), (err == nil || errors.Is(err, store.ErrExpired)) && d.State != store.DevicePending:
		return deviceDecided, nil
	case errors.Is(err, store.ErrExpired):
		return deviceTooLate, nil
	}
	return "", err
}

// endDevice is the end of a journey without a redirect address: the device gets what the user has agreed to.
func (b *Browser) endDevice(c echo.Context, a store.Authorization, to reply) error {
	ctx := c.Request().Context()
	pending, err := b.Devices.Device(ctx, a.DeviceID)
	result, err := deviceResult(pending, err)
	if err == nil && result == "" {
		d := pending
		d.State, d.UserID, d.AuthTime, d.ACR, d.AMR = store.DeviceApproved, a.UserID, a.AuthTime, a.ACR, a.AMR
		d.Scopes = a.Scopes
		err = b.decisions().decide(ctx, d, func(ctx context.Context) {
			b.Audit.Record(ctx, audit.AuthzRequestDeviceGrantCreated, audit.List("scopes", a.Scopes), audit.Detail("idp", a.Provider))
		})
		if err == nil {
			result = deviceSuccess
		} else {
			result, err = deviceResult(pending, err)
		}
	}
	if err != nil {
		return fmt.Errorf("approve device login: %w", err)
	}
	return b.showDevice(c, to, result)
}

// deny ends a journey in which the user said no, and returns the failure. A device is told at its next poll.
func (b *Browser) deny(ctx context.Context, a store.Authorization, f outcome.Failure) error {
	if a.DeviceID == "" {
		return f
	}
	pending, err := b.Devices.Device(ctx, a.DeviceID)
	result, err := deviceResult(pending, err)
	if err != nil {
		return fmt.Errorf("deny device login: %w", err)
	}
	if result != "" { // too late to say no
		return f
	}
	d, refused := pending, f
	d.State = store.DeviceDenied
	err = b.decisions().decide(ctx, d, func(ctx context.Context) { refused = f.Recorded(ctx, b.Audit) })
	if result, err = deviceResult(pending, err); err != nil {
		return fmt.Errorf("deny device login: %w", err)
	}
	if result != "" {
		return f
	}
	return refused
}

// failDevice tells the person at the browser why a device login does not go on. Only the user's own no ends it: with
// another account, or a moment later, it may still succeed.
func (b *Browser) failDevice(r reply) ending {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Audit == consentDenied.Audit {
			return b.showDevice(c, r, deviceRefused)
		}
		return b.ErrorPage(c, f)
	}
}

func (b *Browser) showDevice(c echo.Context, r reply, result string) error {
	return b.Pages.DeviceStatus(c, http.StatusOK, pages.DeviceStatus{Language: r.language, ClientName: r.clientName, Result: result})
}
