package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (r *phoneRun) fingerprintCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "fingerprint", Short: "Use the fingerprint in place of the PIN: enable, refresh, disable", Args: noArgs,
		Long: `fingerprint keeps a second refresh token beside the one under the PIN: the one that the fingerprint sensor
releases. A wrong one is never tried twice: the server takes the fingerprint away, and the PIN goes on working.`,
		Example: `  tokenserver phone fingerprint enable      # asks for the PIN
  tokenserver phone fingerprint refresh     # asks for nothing: the finger is right
  tokenserver phone fingerprint disable`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sub := range []*cobra.Command{r.fingerprintEnable(), r.fingerprintRefresh(), r.fingerprintDisable()} {
		sub.Annotations = map[string]string{needsNoConfig: "yes"}
		c.AddCommand(sub)
	}
	return c
}

func (r *phoneRun) fingerprintEnable() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "enable", Short: "Prove the PIN and get a fingerprint token", Args: noArgs,
		Long:    "enable exchanges the refresh token under the PIN for its successor and a fingerprint token. A wrong PIN counts.",
		Example: "  tokenserver phone fingerprint enable\n  echo 48213 | tokenserver phone fingerprint enable --pin-file -",
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
		if err := c.EnableFingerprint(ctx, id, pin); err != nil {
			return err
		}
		return c.tell(fingerprintState{id, true}, "The fingerprint of profile %s is enabled.", id)
	})
	return c
}

// fingerprintState is what enable and disable print as JSON.
type fingerprintState struct {
	ProfileID string `json:"profile_id"`
	Enabled   bool   `json:"enabled"`
}

func (r *phoneRun) fingerprintRefresh() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "refresh", Short: "Get fresh tokens with the fingerprint", Args: noArgs,
		Long:    "refresh exchanges the fingerprint token, as refresh without fingerprint does with the one under the PIN.",
		Example: "  tokenserver phone fingerprint refresh --json | jq -r .access_token",
	}
	r.profileFlag(c, &profile)
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		id, err := c.profile(profile)
		if err != nil {
			return err
		}
		tokens, err := c.RefreshWithFingerprint(ctx, id)
		if err != nil {
			return err
		}
		return c.tellTokens(fmt.Sprintf("Fresh tokens for profile %s, by fingerprint.", id), id, tokens)
	})
	return c
}

func (r *phoneRun) fingerprintDisable() *cobra.Command {
	var profile string
	var everybody bool
	c := &cobra.Command{
		Use: "disable", Short: "Give the fingerprint token back", Args: noArgs,
		Long:    "disable revokes the fingerprint token of a user, or with --all those of everybody on this phone.",
		Example: "  tokenserver phone fingerprint disable\n  tokenserver phone fingerprint disable --all",
	}
	r.profileFlag(c, &profile)
	c.Flags().BoolVar(&everybody, "all", false, "the fingerprints of all users of this phone")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		if everybody {
			if err := c.DisableAllFingerprints(ctx); err != nil {
				return err
			}
			return c.tell(fingerprintState{}, "The fingerprints of all users are disabled.")
		}
		id, err := c.profile(profile)
		if err != nil {
			return err
		}
		if err := c.DisableFingerprint(ctx, id); err != nil {
			return err
		}
		return c.tell(fingerprintState{ProfileID: id}, "The fingerprint of profile %s is disabled.", id)
	})
	return c
}

func (r *phoneRun) implicitCommand() *cobra.Command {
	var profile string
	var scopes []string
	c := &cobra.Command{
		Use: "implicit", Short: "Get a low-assurance token for a user, without a PIN: implicit authentication", Args: noArgs,
		Long: `implicit gets an access token for a user who has signed in on this phone before. Nothing is asked, so the token
is good for a greeting and not for money; it comes without a refresh token and leaves the running session alone.`,
		Example: "  tokenserver phone implicit --scope profile\n  tokenserver phone implicit --json | jq -r .access_token",
	}
	r.profileFlag(c, &profile)
	c.Flags().StringArrayVar(&scopes, "scope", nil, "scope to ask for, repeatable (default: those of the application)")
	c.RunE = r.with(func(ctx context.Context, c *phoneCall) error {
		id, err := c.profile(profile)
		if err != nil {
			return err
		}
		tokens, err := c.ImplicitAuthentication(ctx, id, scopes...)
		if err != nil {
			return err
		}
		return c.tellTokens("A token without assurance for profile "+id+".", id, tokens)
	})
	return c
}
