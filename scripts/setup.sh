#!/bin/sh
# Installs what rclone-backups needs and is missing here; does nothing where nothing is.
# Runs in any POSIX shell. Exit codes: 0 ready, 1 an installation failed, 2 stopped before changing anything.
set -eu

usage() {
  cat <<'TEXT'
usage: sh scripts/setup.sh [--yes] [--tests]

Installs rclone, GNU tar, flock and setpriv (util-linux), CA certificates and the
npm packages, as far as they are missing, after asking.

  -y, --yes    install without asking
  --tests      what the tests need: the same, sshd, Chromium, systemd-analyze, zsh, fish
               and groff, and kept in
               ${RCLONE_BACKUPS_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/rclone-backups-tests}
               rclone in two versions, two S3 servers (moto, versitygw), b2 and hadolint, and the database
               servers MariaDB, MySQL, PostgreSQL in two versions, and FerretDB; what is on the PATH is
               used, and docs/development.md lists the variables that name others
TEXT
}

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
  code=$1
  shift
  for line; do say "$line"; done
  exit "$code"
}
have() { command -v "$1" >/dev/null 2>&1; }

yes=no
tests=no
for argument; do
  case $argument in
    -y | --yes) yes=yes ;;
    --tests) tests=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && stop 2 "expected --yes or --tests, found $argument" ;;
  esac
done

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
. "$here/lib/packages.sh"
. "$here/lib/rclones.sh"
. "$here/lib/testtools.sh"
. "$here/lib/testservers.sh"

# Before everything else, since nothing here can install Node.
check_node() {
  have node || stop 2 "Node.js 20.19 or newer is needed, none was found" \
    "install it from https://nodejs.org or with your package manager, then run this again"
  have npm || stop 2 "npm is needed, none was found: it comes with Node.js or as a package of its own"
  found=$(node -p 'process.versions.node')
  node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    stop 2 "Node.js 20.19 or newer is needed, found $found"
}

npm_packages_missing() {
  [ -f "$root/node_modules/.package-lock.json" ] || return 0
  [ -n "$(find "$root/package-lock.json" -newer "$root/node_modules/.package-lock.json")" ]
}

# Answers no where nobody can be asked.
agreed() {
  [ "$yes" = yes ] && return 0
  [ -t 0 ] || stop 2 "there is no terminal to ask on: run it again with --yes, or type the above yourself"
  printf 'setup: go on? [y/N] ' >&2
  read -r answer || answer=
  case $answer in
    y | Y | yes | Yes | YES) ;;
    *) stop 2 "nothing was installed" ;;
  esac
}

check_node
missing=$(missing_tools)
npm=no
if npm_packages_missing; then npm=yes; fi

if [ -n "$missing" ] || [ $npm = yes ]; then
  packages=
  if [ -n "$missing" ]; then
    say "missing:$(printf ' %s,' $missing | sed 's/,$//')"
    choose_manager # sets manager and as_root
    packages=$(packages_for "$manager" $missing)
    say "will run: $(install_line)"
  fi
  if [ $npm = yes ]; then say "will run: npm ci   (in $root, from its package-lock.json)"; fi
  agreed
  if [ -n "$packages" ]; then
    install_packages || stop 1 "the installation failed; what was missing: $missing"
    still=$(missing_tools)
    [ -z "$still" ] || stop 1 "installed, but still not found: $still"
  fi
  if [ $npm = yes ]; then
    # Whatever npm is set to leave out: the build needs the development packages.
    (cd "$root" && npm ci --include=dev --no-audit --no-fund --loglevel=error >&2) ||
      stop 1 "npm ci failed; the tests and the build need the packages in package-lock.json"
  fi
fi

if [ "$tests" = yes ]; then
  find_rclones
  find_test_tools
fi
