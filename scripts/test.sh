#!/bin/sh
# npm test: installs what is missing, builds, and runs the test files given as arguments, or all.
# A run without tests, or with a skipped one, is a failed run; only what needs root may be left out by
# another user, and is named then.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"

yes=
# Where nobody can be asked, npm test itself was the question.
if [ -n "${CI:-}" ] || [ ! -t 0 ]; then yes=--yes; fi
sh scripts/setup.sh --tests $yes
sh scripts/build.sh

if [ $# -eq 0 ]; then set -- test/*.test.ts; fi
for file; do
  if [ ! -f "$file" ]; then
    printf 'test: no such test file: %s\n' "$file" >&2
    exit 2
  fi
done

# setup.sh left both rclones where test/helpers/rclones.ts looks. All other settings of rclone and of
# this project would change what is tested, and an extra CA file only slows every start of Node down.
for name in $(env | sed -n 's/^\(RCLONE_[A-Za-z0-9_]*\)=.*/\1/p'); do
  case $name in RCLONE_OLD | RCLONE_NEW | RCLONE_BACKUPS_TEST_*) ;; *) unset "$name" ;; esac
done
unset NODE_EXTRA_CA_CERTS

# One more than there are processors, for tests that wait: for a second of a store's clock, or for a timeout.
jobs=$(($(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1))
work=$(mktemp -d)
fast=
trap 'rm -rf "$work" ${fast:+"$fast"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# In memory, where there is plenty: the tests make and remove countless small files, and take a fifth less there.
# Kibibytes that are free in the file system and in the machine, and whether programs may be started there.
least=8388608
if [ -z "${TMPDIR:-}" ] &&
  [ "$(df -Pk /dev/shm 2>/dev/null | awk '$1 == "tmpfs" { print $4 }')" -ge $least ] 2>/dev/null &&
  [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null)" -ge $least ] 2>/dev/null &&
  fast=$(mktemp -d /dev/shm/rb.XXXXXX 2>/dev/null); then
  printf '#!/bin/sh\n' >"$fast/starts"
  # Servers of the tests run as another user, and have directories of their own in it.
  chmod 711 "$fast" "$fast/starts"
  if "$fast/starts" 2>/dev/null; then
    TMPDIR=$fast
    export TMPDIR
  fi
  rm "$fast/starts"
fi
code=0
node --import tsx --test "--test-concurrency=$jobs" \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=tap --test-reporter-destination="$work/tap" "$@" || code=$?

# "tests 12" and so on from the end of the report; 0 where it is missing.
count() { sed -n "s/^# $1 \([0-9]*\)\$/\1/p" "$work/tap" | tail -n 1 | grep . || echo 0; }

skips='^ *(not )?ok .* # (SKIP|TODO)'
if grep -E "$skips" "$work/tap" >"$work/skips"; then
  printf 'test: these did not run:\n' >&2
  cat "$work/skips" >&2
fi
# The one reason that counts, so that a user without root can run the rest.
if grep -qv ' # SKIP only root ' "$work/skips"; then
  printf 'test: failed, since every test has to run\n' >&2
  exit 1
fi
if [ "$(count tests)" -eq 0 ]; then
  printf 'test: failed, since no test ran\n' >&2
  exit 1
fi
exit $code
