#!/usr/bin/env bash
# Installs what `make test` needs and go.mod cannot bring: servers, browser, openssl, C compiler, Node.js and its packages.
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
need nodejs node
need npm npm
[[ -e /usr/include/stdio.h || ! -e /etc/debian_version ]] || missing+=(libc6-dev)

# The OpenID clients and the provider that the black-box tests run in Node.js, at the versions of the lock file.
packages() {
	local from=e2e/node into=build/node
	if [[ -d $into/node_modules ]] && cmp -s $from/package-lock.json $into/package-lock.json; then return; fi
	mkdir -p $into
	echo "installing the packages of $from"
	(cp $from/package.json $from/package-lock.json $into/ && cd $into &&
		npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || {
		rm -rf $into
		echo "make: npm could not install the packages of $from: is the npm registry to be reached?" >&2
		exit 1
	}
}

if [[ ${#missing[@]} -eq 0 ]]; then
	packages
	exit 0
fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
	echo "make: the tests need programs that are not installed. On Debian, as root:" >&2
	echo "    apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
	exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"
packages
