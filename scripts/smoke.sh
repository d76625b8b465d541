#!/bin/sh
# Packs the project, installs the tarball into an empty prefix and uses what it installed: every
# command's --help, --version, man page and completions, and one encrypted, verified backup, with both rclones of the tests.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/setup.sh --tests --yes

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/prefix" "$work/packed"

fail() {
  printf 'smoke: %s\n' "$*" >&2
  exit 1
}

# npm keeps the caller's HOME, in which its own configuration is.
npm pack --silent --pack-destination "$work/packed" >/dev/null
tarball=$(ls "$work"/packed/*.tgz)
printf 'smoke: installing %s\n' "$(basename "$tarball")"
npm install --silent --global --prefix "$work/prefix" --omit=dev --no-audit --no-fund --prefer-offline "$tarball" >/dev/null

commands=$(node -p 'Object.keys(JSON.parse(require("fs").readFileSync("package.json")).bin).join("\n")')
version=$(node -p 'JSON.parse(require("fs").readFileSync("package.json")).version')

for command in $commands; do
  [ -s "$work/prefix/share/man/man1/$command.1" ] || fail "npm installed no man page of $command"
done
for shell in bash zsh fish; do
  PATH="$work/prefix/bin:$PATH" rclone-backups completion $shell >"$work/completion" || fail "no completion for $shell"
  for command in $commands; do
    grep -q "$command" "$work/completion" || fail "the completion for $shell does not know $command"
  done
done

cache=${RCLONE_BACKUPS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rclone-backups-tests}
for rclone in "${RCLONE_OLD:-$cache/rclone-old}" "${RCLONE_NEW:-$cache/rclone-new}"; do
  here=$work/$(basename "$rclone")
  mkdir -p "$here/home" "$here/bin" "$here/config" "$here/source/sub dir"
  ln -s "$rclone" "$here/bin/rclone"
  # What the commands see: a PATH, an empty HOME, and a place for state, which root has outside HOME.
  bare() { env -i HOME="$here/home" RCLONE_BACKUPS_STATE="$here/state" PATH="$here/bin:$work/prefix/bin:$PATH" "$@"; }

  for command in $commands; do
    help=$(bare "$command" --help) || fail "$command --help failed"
    case $help in *"$command"*) ;; *) fail "$command --help does not name the command: $help" ;; esac
    shown=$(bare "$command" --version) || fail "$command --version failed"
    case $shown in *"$version"*) ;; *) fail "$command --version: expected $version, found $shown" ;; esac
  done

  printf 'one\n' >"$here/source/one.txt"
  printf 'two\n' >"$here/source/sub dir/two.txt"
  password=$(node -p 'crypto.randomBytes(32).toString("base64url")' | bare rclone obscure -)
  printf '[secret]\ntype = crypt\nremote = %s\npassword = %s\n' "$here/store" "$password" >"$here/rclone.conf"
  printf '[default]\nsource = %s\ndestination = secret:smoke\n[rclone]\nconfig = %s\n' \
    "$here/source" "$here/rclone.conf" >"$here/config/smoke.conf"
  bare rclone-backup --config-dir "$here/config" smoke || fail "the backup failed with exit code $?"
  bare rclone-backup --config-dir "$here/config" --verify all smoke || fail "the verification failed with exit code $?"
  [ -z "$(find "$here/store" -name 'one*')" ] || fail "a name was stored in the clear"
  bare rclone --config "$here/rclone.conf" copy secret:smoke "$here/restored"
  diff -r "$here/source" "$here/restored" || fail "what was restored differs"
  printf 'smoke: %s: help, version, backup and verification of the installed package are good\n' \
    "$("$rclone" version | head -n 1)"
done
