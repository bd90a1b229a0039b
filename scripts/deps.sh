#!/usr/bin/env bash
# Installs the programs that `make test` needs and go.mod cannot bring: servers, browser, openssl, C compiler.
# Where it may not install, it names the packages and fails.
set -euo pipefail

missing=()
need() { # need PACKAGE PROGRAM-OR-GLOB…: one of them is enough
	local package=$1 candidate
	shift
	for candidate in "$@"; do
		if [[ $candidate == /* ]] && compgen -G "$candidate" >/dev/null; then return; fi
		if command -v "$candidate" >/dev/null; then return; fi
	done
	missing+=("$package")
}

need redis-server redis-server
need postgresql initdb '/usr/lib/postgresql/*/bin/initdb'
need chromium chromium chromium-browser google-chrome
need fonts-dejavu-core '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf' '/usr/share/fonts/*/*/*.ttf'
need openssl openssl
need gcc gcc
[[ -e /usr/include/stdio.h || ! -e /etc/debian_version ]] || missing+=(libc6-dev)

if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
	echo "make: the tests need programs that are not installed. On Debian, as root:" >&2
	echo "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"
