package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tokenserver/phone"
)

const phoneHelp = `phone is a virtual phone with your app on it: what a mobile SDK does, one step for each call. Everything
that it keeps between two calls - client key, masked refresh tokens, enrollment keys, fetched messages -
lives in one JSON file of mode 0600. The keys in it are in clear: it is a test device, not a vault.

PIN and password are read from the terminal without echo, from --pin-file and --password-file (- is a line
of standard input), or from TOKENSERVER_PHONE_PIN and TOKENSERVER_PHONE_PASSWORD; never from the command
line. The PIN does not leave the phone: a wrong one makes another well-formed token, and the server counts.

A first session, against a server with docs/example-settings.yaml (user kim, see there for the password):

  $ tokenserver phone install --server http://localhost:7878 --app harbour --app-version 4.2.0 \
      --signature 3F7A0C5519E2D84B6A9137C0FE2D5B88A4C6E1907B3D2F5544CC01AAE87F9B63 \
      --redirect harbour://signed-in
  $ tokenserver phone register --name "Kim's phone"
  $ tokenserver phone validate
  $ tokenserver phone sign-in --username kim            # asks for the password, then for a new PIN
  $ tokenserver phone refresh                           # asks for the PIN
  $ tokenserver phone enroll --push-token device-token-of-my-phone

A portal starts a transaction for this installation (the settings need a push configuration for that;
device_id is the client id that register printed):

  $ tokenserver phone pending
  $ tokenserver phone fetch 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11
  $ tokenserver phone approve 3f0c7c1e-5d0e-4d0f-9d7a-0d4b8f2a6c11

or, all three at once, until Ctrl-C:

  $ tokenserver phone wait

A refusal of the server ends with status 1 and says the error word, the number under which the mobile SDKs
report it, and what to do next. Use one state file for one call at a time.`

func (p *program) phoneCommand() *cobra.Command {
	r := &phoneRun{program: p}
	c := &cobra.Command{
		Use: "phone", Short: "Be the phone: register, sign in, enroll, approve, from the command line", Args: noArgs,
		Long: phoneHelp,
		Example: `  tokenserver phone install --help
  tokenserver phone wait
  TOKENSERVER_PHONE_PIN=48213 tokenserver phone approve TRANSACTION --json
  tokenserver phone --state kims-tablet.json profiles`,
		Annotations: map[string]string{needsNoConfig: "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := c.PersistentFlags()
	flags.StringVar(&r.state, "state", "", "file of the phone (default: ./phone.json if it exists, else tokenserver/phone.json in your configuration folder)")
	flags.BoolVar(&r.asJSON, "json", false, "print results and refusals as JSON")
	for _, sub := range []*cobra.Command{
		r.installCommand(), r.registerCommand(), r.validateCommand(), r.upgradeCommand(), r.signInCommand(), r.refreshCommand(),
		r.tokenCommand(), r.fingerprintCommand(), r.implicitCommand(), r.enrollCommand(), r.pushTokenCommand(), r.pendingCommand(), r.fetchCommand(), r.approveCommand(),
		r.denyCommand(), r.waitCommand(), r.profilesCommand(), r.revokeCommand(), r.renameCommand(), r.forgetCommand(),
	} {
		sub.Annotations = map[string]string{needsNoConfig: "yes"}
		c.AddCommand(sub)
	}
	return c
}

// phoneRun is one call of the virtual phone.
type phoneRun struct {
	*program
	state  string // as the flag says; see file
	asJSON bool
	secrets
}

// phoneCall is a phone that has been read from its file, with what the user typed.
type phoneCall struct {
	*phoneRun
	*phone.Phone
	args []string
}

// with runs f on the phone in the file and writes the phone back, also after a refusal: a wrong PIN changes the message that is
// kept, and a user whom the server has removed goes from the phone as well.
func (r *phoneRun) with(f func(ctx context.Context, c *phoneCall) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		name := r.file()
		device, err := phone.Load(name, phone.Options{Now: r.now})
		if errors.Is(err, fs.ErrNotExist) {
			err = &adviceError{word: "no_phone", text: "there is no phone at " + name, next: "tokenserver phone install puts the app on a new one"}
		}
		if err != nil {
			return r.refused(err, "")
		}
		err = f(cmd.Context(), &phoneCall{phoneRun: r, Phone: device, args: args})
		if saving := device.Save(name); saving != nil {
			err = errors.Join(err, saving)
		}
		return r.refused(err, device.App().BaseURL)
	}
}

// file is where the phone is kept.
func (r *phoneRun) file() string {
	const here = "phone.json"
	if r.state != "" {
		return r.state
	}
	if _, err := os.Stat(here); err == nil {
		return here
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return here // an account without a home
	}
	return filepath.Join(dir, "tokenserver", here)
}

// tell prints a result: the value as JSON, or the words.
func (r *phoneRun) tell(value any, format string, words ...any) error {
	if r.asJSON {
		return json.NewEncoder(r.out).Encode(value)
	}
	_, err := fmt.Fprintf(r.out, format+"\n", words...)
	return err
}

// profile returns the profile that a command is about: the named one, or the only one.
func (c *phoneCall) profile(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	switch ids := c.Profiles(); len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", &adviceError{word: "no_profile", text: "nobody has signed in on this phone", next: "tokenserver phone sign-in --username NAME"}
	default:
		return "", &adviceError{word: "which_profile", text: "several users have signed in on this phone", next: "name one with --profile; tokenserver phone profiles lists them"}
	}
}

// variable returns what the environment says, or "".
func (p *program) variable(name string) string {
	value := ""
	for _, entry := range p.environ { // the last one counts, as in a shell
		if rest, found := strings.CutPrefix(entry, name+"="); found {
			value = rest
		}
	}
	return value
}
