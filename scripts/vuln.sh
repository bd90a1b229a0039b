#!/usr/bin/env bash
# Runs govulncheck. Its database is on the Internet: where that cannot be reached the check did not run, and says so,
# but a closed network is no reason to fail.
set -euo pipefail

: "${GO:=go}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if "$GO" tool -modfile=tools/go.mod govulncheck ./... >"$log" 2>&1; then
	cat "$log"
	exit 0
fi
if grep -qE 'fetching vulnerabilities: .*(dial|lookup|connect|timeout|status|response)' "$log" &&
	! grep -q '^Vulnerability #' "$log"; then
	echo "vuln: not run, the vulnerability database cannot be reached"
	exit 0
fi
cat "$log"
exit 1
