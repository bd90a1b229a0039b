package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Variables that the phone reads secrets from.
const (
	phonePasswordVariable = envPrefix + "PHONE_PASSWORD"
	phonePINVariable      = envPrefix + "PHONE_PIN"
)

const maxSecretFile = 1 << 12

// secrets is where password and PIN come from: a file, a variable or the terminal, never a flag.
type secrets struct {
	passwordFile, pinFile string
	input                 *bufio.Reader // of standard input, shared by all who read lines
}

func (r *phoneRun) pinFlag(c *cobra.Command) {
	c.Flags().StringVar(&r.pinFile, "pin-file", "", "file that holds the PIN; - is a line of standard input (default: "+phonePINVariable+", else the terminal)")
}

func (r *phoneRun) passwordFlag(c *cobra.Command) {
	c.Flags().StringVar(&r.passwordFile, "password-file", "", "file that holds the password; - is a line of standard input (default: "+phonePasswordVariable+", else the terminal)")
}

func (r *phoneRun) password(ctx context.Context) (string, error) {
	return r.secret(ctx, "the password", r.passwordFile, "--password-file", phonePasswordVariable)
}

func (r *phoneRun) pin(ctx context.Context, prompt string) (string, error) {
	return r.secret(ctx, prompt, r.pinFile, "--pin-file", phonePINVariable)
}

// newPIN asks twice at a terminal, where a slip of the finger cannot be seen.
func (r *phoneRun) newPIN(ctx context.Context) (string, error) {
	pin, err := r.pin(ctx, "a new PIN")
	if err != nil || !r.asks() {
		return pin, err
	}
	again, err := r.pin(ctx, "the new PIN again")
	if err == nil && again != pin {
		return "", errors.New("the two PINs differ")
	}
	return pin, err
}

// asks says whether the PIN comes from somebody who can be asked once more.
func (r *phoneRun) asks() bool { return r.pinFile == "" && r.variable(phonePINVariable) == "" }

// secret reads one secret; it is never part of an error.
func (r *phoneRun) secret(ctx context.Context, what, file, flag, variable string) (text string, err error) {
	switch value := r.variable(variable); {
	case file == "-":
		text, err = r.line(ctx)
	case file != "":
		text, err = readSecretFile(file)
	case value != "":
		return value, nil
	default:
		text, err = r.typed(ctx, what, flag, variable)
	}
	if err == nil && text == "" {
		err = errors.New(what + " is empty")
	}
	return text, err
}

// typed reads a secret from the terminal without echo.
func (r *phoneRun) typed(ctx context.Context, what, flag, variable string) (string, error) {
	terminal, ok := r.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", &adviceError{
			word: "no_terminal", text: "there is no terminal to ask for " + what,
			next: fmt.Sprintf("give %s FILE (- reads a line of standard input) or set %s", flag, variable),
		}
	}
	descriptor := int(terminal.Fd())
	before, err := term.GetState(descriptor)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	_, _ = fmt.Fprintf(r.err, "Enter %s: ", what) // a closed stderr does not keep anybody from typing
	text, err := within(ctx, func() (string, error) {
		text, err := term.ReadPassword(descriptor)
		return string(text), err
	})
	_, _ = fmt.Fprintln(r.err)
	if err != nil {
		_ = term.Restore(descriptor, before) // after Ctrl-C the echo would stay off
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	return text, nil
}

// line reads one line of standard input.
func (r *phoneRun) line(ctx context.Context) (string, error) {
	if r.input == nil {
		r.input = bufio.NewReader(r.in)
	}
	text, err := within(ctx, func() (string, error) { return r.input.ReadString('\n') })
	switch {
	case errors.Is(err, io.EOF) && text == "":
		return "", &adviceError{word: "no_input", text: "standard input has ended", cause: err}
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("read standard input: %w", err)
	}
	return strings.TrimRight(text, "\r\n"), nil
}

// within reads until ctx ends. A read that blocks cannot be called off; it ends with the process.
func within(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readSecretFile reads a file without the line break at its end.
func readSecretFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
