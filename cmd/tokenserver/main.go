package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the build.
var version = "dev"

// program is what all commands have in common.
type program struct {
	in      io.Reader
	out     io.Writer // results
	err     io.Writer // log lines and complaints
	environ []string
	now     func() time.Time // UTC
	config  Config           // loaded before a command runs, unless it needs none
}

// exitUsage is the status of a command line that makes no sense; other failures exit with 1.
const exitUsage = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(),
		now: func() time.Time { return time.Now().UTC() },
	}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit status.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root() //nolint:contextcheck // commands get theirs from ExecuteContext
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var usage *usageError
	if errors.As(err, &usage) {
		_, _ = fmt.Fprintf(p.err, "tokenserver: %v\n\nSee tokenserver --help.\n", err) // nothing can be done about a closed stderr
		return exitUsage
	}
	_, _ = fmt.Fprintf(p.err, "tokenserver: %v\n", err)
	return 1
}

// usageError says that the command line makes no sense.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }
