package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

func (r *phoneRun) profileFlag(c *cobra.Command, profile *string) {
	c.Flags().StringVar(profile, "profile", "", "profile id of the user (default: the only user of the phone)")
}

func (r *phoneRun) signInCommand() *cobra.Command {
	var username, profile string
	var scopes []string
	var deny bool
	c := &cobra.Command{
		Use: "sign-in", Short: "Sign a user in with the password, consent, and set a PIN", Args: noArgs,
		Long: `sign-in walks the real pages of the server as a user at a browser does: name and password, then consent;
the code comes back to the app, is exchanged with PKCE, and the refresh token is stored under the new PIN.
The profile id names the user on this phone: 6 of A-Z and 0-9, made up when it is left out.`,
		Example: `  tokenserver phone sign-in --username kim
  tokenserver phone sign-in --username kim --profile QW4RTY --scope openid --scope accounts
  tokenserver phone sign-in --username kim --deny            # what happens when the user says no`,
	}
	c.Flags().StringVar(&username, "username", "", "name of the user")
	c.Flags().StringVar(&profile, "profile", "", "profile id for the user (default: a new one)")
	c.Flags().StringArrayVar(&scopes, "scope", nil, "scope to ask for, repeatable (default: those of the application)")
	c.Flags().BoolVar(&deny, "deny", false, "press deny on the consent page")
	r.passwordFlag(c)
	r.pinFlag(c)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if username == "" {
			return &usageError{errors.New("--username is missing")}
		}
		if profile == "" {
			profile = phone.NewProfileID()
		}
		password, err := c.password(ctx)
		if err != nil {
			return err
		}
		pin, err := c.newPIN(ctx)
		if err != nil {
			return err
		}
		person := &phone.Person{Username: username, Password: password, Consent: !deny}
		tokens, err := c.SignIn(ctx, profile, pin, scopes, person)
		if err != nil {
			return err
		}
		return c.tellTokens(fmt.Sprintf("%s is signed in as profile %s, and the PIN is set.", username, profile), profile, tokens)
	})
	return c
}

func (r *phoneRun) refreshCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "refresh", Short: "Get fresh tokens with the PIN", Args: noArgs,
		Long: `refresh uncovers the refresh token with the PIN and exchanges it. A wrong PIN uncovers another token; the
server counts, and removes the user at the limit.`,
		Example: "  tokenserver phone refresh\n  echo 48213 | tokenserver phone refresh --pin-file -",
	}
	r.profileFlag(c, &profile)
	r.pinFlag(c)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		id, err := c.profile(profile)
		if err != nil {
			return err
		}
		pin, err := c.pin(ctx, "the PIN")
		if err != nil {
			return err
		}
		tokens, err := c.Refresh(ctx, id, pin)
		if err != nil {
			return err
		}
		return c.tellTokens("Fresh tokens for profile "+id+".", id, tokens)
	})
	return c
}

func (r *phoneRun) tokenCommand() *cobra.Command {
	var scopes []string
	c := &cobra.Command{
		Use: "token", Short: "Get an access token of the installation itself: client credentials", Args: noArgs,
		Long:    "token gets an access token without a user, for anonymous calls to the resource gateways.",
		Example: "  tokenserver phone token\n  tokenserver phone token --scope accounts --json | jq -r .access_token",
	}
	c.Flags().StringArrayVar(&scopes, "scope", nil, "scope to ask for, repeatable (default: those of the application)")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		tokens, err := c.ClientToken(ctx, scopes...)
		if err != nil {
			return err
		}
		return c.tellTokens("A token of the installation.", "", tokens)
	})
	return c
}

// tellTokens prints tokens: they are the result that was asked for, and go to standard output alone.
func (c *phoneCall) tellTokens(title, profile string, t *phone.Tokens) error {
	result := *t
	if result.ProfileID == "" {
		result.ProfileID = profile
	}
	var text strings.Builder
	text.WriteString(title)
	for _, line := range []struct{ name, value string }{
		{"Scopes", t.Scope},
		{"Until", t.ExpiresAt.Format(time.RFC3339)},
		{"Access token", t.AccessToken},
		{"ID token", t.IDToken},
	} {
		if line.value != "" {
			fmt.Fprintf(&text, "\n%-13s %s", line.name+":", line.value)
		}
	}
	return c.tell(result, "%s", text.String())
}

// phoneUser is one line of profiles.
type phoneUser struct {
	ProfileID    string `json:"profile_id"`
	SignedIn     bool   `json:"signed_in"` // an access token is on the phone; it may have expired
	EnrollmentID string `json:"enrollment_id,omitempty"`
	PushToken    string `json:"push_token,omitempty"`
}

func (r *phoneRun) profilesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "profiles", Short: "List the users on this phone", Args: noArgs,
		Long: "profiles reads the state file; the server is not asked (validate does that).", Example: "  tokenserver phone profiles --json",
		RunE: r.with(func(_ context.Context, c *phoneCall) error {
			users := []phoneUser{}
			for _, id := range slices.Sorted(slices.Values(c.Profiles())) {
				u := phoneUser{ProfileID: id, PushToken: c.PushToken(id)}
				if _, err := c.AccessToken(id); err == nil {
					u.SignedIn = true
				}
				if enrollment, err := c.EnrollmentID(id); err == nil {
					u.EnrollmentID = enrollment
				}
				users = append(users, u)
			}
			lines := make([]string, len(users))
			for i, u := range users {
				lines[i] = u.line()
			}
			if len(lines) == 0 {
				lines = []string{"Nobody has signed in on this phone."}
			}
			return c.tell(users, "%s", strings.Join(lines, "\n"))
		}),
	}
}

func (u phoneUser) line() string {
	session, enrolled := "signed out", "not enrolled"
	if u.SignedIn {
		session = "signed in"
	}
	switch {
	case u.PushToken != "":
		enrolled = "enrolled for push"
	case u.EnrollmentID != "":
		enrolled = "enrolled, keys only"
	}
	return fmt.Sprintf("%s  %-10s  %s", u.ProfileID, session, enrolled)
}

func (r *phoneRun) revokeCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "revoke profile|tokens|client", Short: "Give back: a user, the tokens of a user, or all of the installation", Args: oneArg,
		Long: `revoke tells the server to forget, and forgets on the phone.

  profile   the user: tokens, enrollment and the profile itself
  tokens    the tokens of the user; the profile stays known and enrolled, the password signs in again
  client    the tokens of all users and of the installation; the registration stays`,
		Example:   "  tokenserver phone revoke tokens\n  tokenserver phone revoke profile --profile QW4RTY",
		ValidArgs: []string{"profile", "tokens", "client"},
	}
	r.profileFlag(c, &profile)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		what, id := c.args[0], ""
		switch what {
		case "profile", "tokens":
			var err error
			if id, err = c.profile(profile); err != nil {
				return err
			}
		case "client":
		default:
			return &usageError{fmt.Errorf("revoke %s: want profile, tokens or client", what)}
		}
		if err := c.revokes(what)(ctx, id); err != nil {
			return err
		}
		said := map[string]string{"revoked": what}
		if id != "" {
			said["profile_id"] = id
			what += " of " + id
		}
		return c.tell(said, "Revoked: %s.", what)
	})
	return c
}

// revokes returns the call behind one of the words.
func (c *phoneCall) revokes(what string) func(context.Context, string) error {
	switch what {
	case "profile":
		return c.RemoveProfile
	case "tokens":
		return c.EndSessions
	default:
		return func(ctx context.Context, _ string) error { return c.Disconnect(ctx) }
	}
}
