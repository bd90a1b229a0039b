package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

func (r *phoneRun) pendingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pending", Short: "List the transactions that wait for this phone", Args: noArgs,
		Long: `pending asks the server for the open transactions of all users of this phone that were not fetched yet, and
adds those that this phone has fetched and not answered. No push message is needed for it.`,
		Example: "  tokenserver phone pending",
		RunE: r.with(func(ctx context.Context, c *phoneCall) error {
			open, err := c.Pending(ctx)
			if err != nil {
				return err
			}
			c.dropEnded()
			list := struct {
				Pending []phone.Pending `json:"pending"` // not fetched
				Fetched []phoneMessage  `json:"fetched"` // not answered
			}{slices.Concat([]phone.Pending{}, open), []phoneMessage{}}
			var lines []string
			for _, t := range open {
				lines = append(lines, fmt.Sprintf("%s  %-7s  profile %s, %d s left: %s", t.TransactionID, "open", t.ProfileID, t.TimeToLive, t.Message))
			}
			for _, m := range c.AllKept() {
				list.Fetched = append(list.Fetched, shown(&m))
				lines = append(lines, fmt.Sprintf("%s  %-7s  profile %s, until %s: %s", m.TransactionID, "fetched", m.ProfileID, clock(m.ExpiresAt), m.Text))
			}
			if len(lines) == 0 {
				lines = []string{"Nothing waits for this phone."}
			}
			return c.tell(list, "%s", strings.Join(lines, "\n"))
		}),
	}
}

// dropEnded forgets kept messages whose time is over.
func (c *phoneCall) dropEnded() {
	for _, m := range c.AllKept() {
		if c.now().Unix() >= m.ExpiresAt {
			c.Drop(m.TransactionID)
		}
	}
}

// phoneMessage is what commands print of a fetched transaction.
type phoneMessage struct {
	TransactionID string `json:"transaction_id"`
	ProfileID     string `json:"profile_id"`
	Method        string `json:"method"`
	Text          string `json:"message"`
	SecureText    string `json:"secure_message,omitempty"`
	SigningData   string `json:"signing_data,omitempty"`
	Remaining     *int   `json:"remaining_attempts,omitempty"`
	ExpiresAt     int64  `json:"exp"` // seconds since the epoch
}

func shown(m *phone.Message) phoneMessage {
	return phoneMessage{
		TransactionID: m.TransactionID, ProfileID: m.ProfileID, Method: m.Method, Text: m.Text, SecureText: m.SecureText,
		SigningData: m.SigningData, Remaining: m.RemainingAttempts, ExpiresAt: m.ExpiresAt,
	}
}

// words shows the message as the screen of the phone does.
func (m phoneMessage) words() string {
	var text strings.Builder
	text.WriteString(m.Text)
	for _, line := range []string{m.SecureText, m.SigningData} {
		if line != "" {
			text.WriteString("\n  " + strings.ReplaceAll(line, "\n", "\n  "))
		}
	}
	fmt.Fprintf(&text, "\n(%s, for profile %s, until %s)", strings.ReplaceAll(m.Method, "_", " "), m.ProfileID, clock(m.ExpiresAt))
	return text.String()
}

func clock(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func (r *phoneRun) fetchCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "fetch TRANSACTION", Short: "Fetch, decrypt and verify the message of a transaction", Args: oneArg,
		Long: `fetch gets the message, which was encrypted for this phone alone, and checks who wrote it and for whom. A
transaction can be fetched once; the message stays in the state file for approve and deny.`,
		Example: "  tokenserver phone fetch 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11",
	}
	r.profileFlag(c, &profile)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		m, err := c.messageOf(ctx, c.args[0], profile)
		if err != nil {
			return err
		}
		said := shown(m)
		return c.tell(said, "%s\nNext: tokenserver phone approve %s, or deny", said.words(), m.TransactionID)
	})
	return c
}

// messageOf returns the message that was kept of a transaction, or fetches and keeps it.
func (c *phoneCall) messageOf(ctx context.Context, transaction, profile string) (*phone.Message, error) {
	transaction = strings.ToLower(transaction)
	if m := c.Kept(transaction); m != nil {
		return m, nil
	}
	id, err := c.profileOf(ctx, transaction, profile)
	if err != nil {
		return nil, err
	}
	m, err := c.Fetch(ctx, transaction, id)
	if err != nil {
		return nil, err
	}
	c.Keep(m)
	return m, nil
}

// profileOf finds out for whom a transaction is. A push message would say it; here the pending list does.
func (c *phoneCall) profileOf(ctx context.Context, transaction, named string) (string, error) {
	if named != "" || len(c.Profiles()) < 2 {
		return c.profile(named)
	}
	open, err := c.Pending(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range open {
		if strings.EqualFold(t.TransactionID, transaction) {
			return t.ProfileID, nil
		}
	}
	return c.profile("")
}

func (r *phoneRun) approveCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "approve TRANSACTION", Short: "Answer yes: signed, and with the PIN where the transaction asks for it", Args: oneArg,
		Long: `approve answers the message that fetch has kept, or fetches it first. A push with PIN asks for the PIN; a wrong
one is counted by the server, and approve may be tried again while tries are left. At the limit the server
removes the user.`,
		Example: "  tokenserver phone approve 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11\n  echo 48213 | tokenserver phone approve 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11 --pin-file -",
	}
	r.profileFlag(c, &profile)
	r.pinFlag(c)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		m, err := c.messageOf(ctx, c.args[0], profile)
		if err != nil {
			return err
		}
		return c.answered(m, func() (*phone.Result, error) { return c.accept(ctx, m) })
	})
	return c
}

func (r *phoneRun) denyCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "deny TRANSACTION", Short: "Answer no; the signature of the phone is enough", Args: oneArg,
		Long: "deny answers the message that fetch has kept, or fetches it first.", Example: "  tokenserver phone deny 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11",
	}
	r.profileFlag(c, &profile)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		m, err := c.messageOf(ctx, c.args[0], profile)
		if err != nil {
			return err
		}
		return c.answered(m, func() (*phone.Result, error) { return c.Deny(ctx, m) })
	})
	return c
}

// accept answers in the way that the message asks for.
func (c *phoneCall) accept(ctx context.Context, m *phone.Message) (*phone.Result, error) {
	switch {
	case m.Method == phone.MethodPush:
		return c.AcceptPlain(ctx, m)
	case m.Method == phone.MethodPIN, m.PINFallback:
		pin, err := c.pin(ctx, "the PIN")
		if err != nil {
			return nil, err
		}
		return c.Accept(ctx, m, pin)
	default:
		return nil, &adviceError{
			word: "unsupported_method", text: "this phone has no authenticator for " + strings.ReplaceAll(m.Method, "_", " "),
			next: "tokenserver phone deny " + m.TransactionID,
		}
	}
}

// answered sends an answer and prints what came of it. The message stays for another try as long as one is possible.
func (c *phoneCall) answered(m *phone.Message, send func() (*phone.Result, error)) error {
	result, err := send()
	if err != nil {
		if over(err) {
			c.Drop(m.TransactionID)
		} else {
			c.Keep(m)
		}
		return err
	}
	c.Drop(m.TransactionID)
	return c.tell(result, "Transaction %s is %s.", result.TransactionID, result.Result)
}

// over says that a refusal has ended the transaction for this phone.
func over(err error) bool {
	e := phone.Refused(err)
	if e == nil {
		return false
	}
	if e.Remaining != nil && *e.Remaining == 0 {
		return true
	}
	return slices.Contains([]int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusGone}, e.Status)
}

// wrongPIN says that the user may try again.
func wrongPIN(err error) bool {
	e := phone.Refused(err)
	return e != nil && e.Challenge != "" && (e.Remaining == nil || *e.Remaining > 0)
}
