#!/usr/bin/env bash
# Runs every fuzz target of the tree for FUZZTIME each, one after the other: go test takes one target at a time.
set -euo pipefail

: "${GO:=go}" "${FUZZTIME:=10s}"
status=0 count=0
while IFS=: read -r file target; do
	count=$((count + 1))
	echo "== $target in ${file%/*}"
	"$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "./${file%/*}" || status=1
done < <(git ls-files -co --exclude-standard -- '*_test.go' | xargs -r grep -oHE '^func Fuzz[A-Za-z0-9_]+' | sed 's/:func /:/')
echo "$count fuzz targets"
exit "$status"
