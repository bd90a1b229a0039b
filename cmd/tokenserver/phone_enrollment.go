package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

func (r *phoneRun) enrollCommand() *cobra.Command {
	var profile, token string
	c := &cobra.Command{
		Use: "enroll", Short: "Exchange keys for mobile authentication and hand over the push token", Args: noArgs,
		Long: `enroll makes the two device keys, proves them, and fetches those of the server, in three steps. The user must
be signed in. The push token is what FCM or APNs gave to the app (android: at least 20 printable characters,
ios: hex digits); without one, keys are exchanged only. A former enrollment stays in use until the last step
has succeeded.`,
		Example: "  tokenserver phone enroll --push-token device-token-of-my-phone\n  tokenserver phone enroll",
	}
	r.profileFlag(c, &profile)
	c.Flags().StringVar(&token, "push-token", "", "token of the push service; empty: keys only")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		id, err := c.profile(profile)
		if err != nil {
			return err
		}
		if err := c.Enroll(ctx, id, token); err != nil {
			return aboutPushToken(err)
		}
		enrollment, err := c.EnrollmentID(id)
		if err != nil {
			return err
		}
		said := phoneUser{ProfileID: id, SignedIn: true, EnrollmentID: enrollment, PushToken: token}
		return c.tell(said, "Profile %s is enrolled as %s.\nNext: a portal starts a transaction with device_id %s; then tokenserver phone wait",
			id, enrollment, c.ClientID())
	})
	return c
}

func (r *phoneRun) pushTokenCommand() *cobra.Command {
	var profile, before, after string
	c := &cobra.Command{
		Use: "push-token", Short: "Tell the server that the push service has given the app another token", Args: noArgs,
		Long: `push-token replaces the push token of all users of this phone that hold the old one. Android only: on iOS the
app enrolls again.`,
		Example: "  tokenserver phone push-token --old device-token-of-my-phone --new next-device-token-of-my-phone",
	}
	r.profileFlag(c, &profile)
	c.Flags().StringVar(&before, "old", "", "token that is to be replaced (default: the one of the profile)")
	c.Flags().StringVar(&after, "new", "", "token of the push service from now on")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if after == "" {
			return &usageError{errors.New("--new is missing")}
		}
		if before == "" {
			id, err := c.profile(profile)
			if err != nil {
				return err
			}
			if before = c.PushToken(id); before == "" {
				return &adviceError{word: "no_push_token", text: "profile " + id + " has no push token", next: "tokenserver phone enroll --push-token TOKEN"}
			}
		}
		if err := c.UpdatePushToken(ctx, before, after); err != nil {
			return aboutPushToken(err)
		}
		return c.tell(map[string]string{"push_token": after}, "The server pushes to the new token from now on.")
	})
	return c
}

// aboutPushToken says what is most likely wrong with a request that the server calls malformed: the rest of it is not typed.
func aboutPushToken(err error) error {
	e := phone.Refused(err)
	if e == nil || e.Code != "invalid_request" {
		return err
	}
	told := explained(e, err)
	told.next = "look at the push token: android wants at least 20 printable characters, ios hex digits"
	return told
}
