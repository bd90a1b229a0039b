package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

// minWait keeps a phone from hammering the server.
const minWait = 100 * time.Millisecond

func (r *phoneRun) waitCommand() *cobra.Command {
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use: "wait", Short: "Wait for transactions and ask about each, as the app does", Args: noArgs,
		Long: `wait asks the server for pending transactions again and again until Ctrl-C: it stands for the push message.
Each is fetched and shown, and you approve it, deny it, or leave it for later (approve and deny find it in
the state file). With standard input that ends, wait ends as well.`,
		Example: "  tokenserver phone wait\n  echo approve | TOKENSERVER_PHONE_PIN=48213 tokenserver phone wait --once",
	}
	c.Flags().DurationVar(&every, "every", 2*time.Second, "time between two looks")
	c.Flags().BoolVar(&once, "once", false, "end after the first transaction; the exit status is 0 when it was answered")
	r.pinFlag(c)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if every < minWait {
			return &usageError{fmt.Errorf("--every %s: want at least %s", every, minWait)}
		}
		if !c.asJSON {
			_, _ = fmt.Fprintf(c.err, "Waiting for transactions of %s; Ctrl-C ends.\n", c.ClientID()) // a closed stderr is no reason to stop
		}
		return c.watch(ctx, every, once)
	})
	return c
}

// watch looks until ctx ends, standard input ends or, with once, the first transaction is done.
func (c *phoneCall) watch(ctx context.Context, every time.Duration, once bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		open, err := c.Pending(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, t := range open {
			err := c.ask(ctx, t)
			switch {
			case ctx.Err() != nil:
				return nil // Ctrl-C at a question; the message is kept
			case once, err != nil && phone.Refused(err) == nil:
				return err
			case err != nil: // this transaction is over, the next may come
				_, _ = fmt.Fprintln(c.err, advised(err, ""))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil // Ctrl-C is the way to end
		}
	}
}

// ask shows one transaction and does what the user says.
func (c *phoneCall) ask(ctx context.Context, t phone.Pending) error {
	m, err := c.messageOf(ctx, t.TransactionID, t.ProfileID)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.err, "\n%s\n", shown(m).words()) // what is typed counts, even when nobody can read
	for {
		_, _ = fmt.Fprint(c.err, "approve, deny or later? ")
		said, err := c.line(ctx)
		if err != nil {
			return err
		}
		switch strings.ToLower(strings.TrimSpace(said)) {
		case "a", "approve", "y", "yes":
			return c.answered(m, func() (*phone.Result, error) { return c.acceptPatiently(ctx, m) })
		case "d", "deny", "n", "no":
			return c.answered(m, func() (*phone.Result, error) { return c.Deny(ctx, m) })
		case "l", "later":
			return c.tell(shown(m), "Left for later: tokenserver phone approve %s", m.TransactionID)
		}
	}
}

// acceptPatiently asks again after a wrong PIN, if there is somebody to ask.
func (c *phoneCall) acceptPatiently(ctx context.Context, m *phone.Message) (*phone.Result, error) {
	for {
		result, err := c.accept(ctx, m)
		if err == nil || !wrongPIN(err) || !c.asks() {
			return result, err
		}
		_, _ = fmt.Fprintln(c.err, advised(err, "").text)
	}
}
