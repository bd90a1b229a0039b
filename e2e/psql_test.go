package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
)

// psql runs one statement with PostgreSQL's own client and returns its output without headings.
func psql(ctx context.Context, dsn, statement string) (string, error) {
	cmd := exec.CommandContext(ctx, "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
		"--dbname="+dsn, "--command="+statement)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// createDatabase makes an empty database beside another one and returns its DSN.
func createDatabase(ctx context.Context, beside string) (string, error) {
	name := "e2e_" + randomHex(8)
	if _, err := psql(ctx, beside, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(beside)
	if err != nil {
		return "", fmt.Errorf("dsn: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}
