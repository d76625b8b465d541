#!/bin/sh
# The container's first process. Without arguments it looks again and again what is due and runs it; with
# arguments it runs them, as in `docker exec NAME entrypoint rclone-backups status`. Both see the same
# environment, made ready below. docs/container.md tells about the variables.
set -eu
umask 077

config=${RCLONE_BACKUPS_DIR:=/config}
state=${RCLONE_BACKUPS_STATE:=/state}
every=${BACKUP_CHECK_EVERY:-60}
name=${BACKUP_NAME:-backup}
mark='; Made by the container from its environment: changes here are lost at the next start.'
export RCLONE_BACKUPS_DIR RCLONE_BACKUPS_STATE

say() { printf 'entrypoint: %s\n' "$*" >&2; }
stop() {
  say "error: $1"
  [ $# -lt 2 ] || say "hint: $2"
  exit 2
}

# value NAME: prints a variable's value. Names come from is_secret and are plain words.
value() { eval "printf '%s' \"\${$1-}\""; }

# Keys whose value may be file:PATH, and options of rclone's remotes that hold a secret. No more than
# these, since other names end in _FILE too, such as RCLONE_BACKUPS_GUARDS_REQUIRE_FILE.
is_secret() {
  case $1 in *[!A-Z0-9_]*) return 1 ;; esac
  case $1 in
    RCLONE_BACKUPS_RCLONE_PASSWORD | CANARY | CANARY_START | CANARY_FAIL) ;;
    RCLONE_BACKUPS_NOTIFY_SMTP | RCLONE_BACKUPS_NOTIFY_WEBHOOK | RCLONE_BACKUPS_NOTIFY_NTFY | RCLONE_BACKUPS_NOTIFY_PING) ;;
    NOTIFY_SMTP | NOTIFY_WEBHOOK | NOTIFY_NTFY) ;;
    RCLONE_CONFIG_*_PASSWORD | RCLONE_CONFIG_*_PASSWORD2 | RCLONE_CONFIG_*_PASS | RCLONE_CONFIG_*_SECRET_ACCESS_KEY | RCLONE_CONFIG_*_TOKEN) ;;
    *) return 1 ;;
  esac
}

# NAME_FILE=PATH becomes NAME=file:PATH, or, for rclone's own variables, the first line of the file.
take_secrets() {
  # shellcheck disable=SC2013 # words are what it prints
  for variable in $(awk 'BEGIN { for (name in ENVIRON) if (name ~ /^[A-Z][A-Z0-9_]*_FILE$/) print name }'); do
    target=${variable%_FILE}
    is_secret "$target" || continue
    file=$(value "$variable")
    [ -z "$(value "$target")" ] || stop "expected $target or $variable, found both" "leave one out"
    [ -r "$file" ] || stop "$variable: expected a file that can be read, found none at $file" \
      "see that the secret is mounted, and that user $(id -u) may read it"
    case $target in
      RCLONE_CONFIG_*)
        IFS= read -r line <"$file" || [ -n "$line" ] || stop "$variable: expected a secret in $file, found it empty"
        export "$target=$line"
        ;;
      *) export "$target=file:$file" ;;
    esac
    unset "$variable"
  done
}

is_ours() { [ -f "$1" ] && IFS= read -r first <"$1" && [ "$first" = "$mark" ]; }

# Prints the configurations that somebody else wrote.
given_configs() {
  for file in "$config"/*.conf; do
    if [ -f "$file" ] && ! is_ours "$file"; then printf '%s\n' "$file"; fi
  done
}

write_config() {
  printf '%s\n[default]\n; all keys come from RCLONE_BACKUPS_SECTION_KEY\n' "$mark"
  printf '\n[filters]\n%s\n' "${BACKUP_FILTERS:-}"
  printf '\n[retention]\n%s\n' "${BACKUP_RETENTION:-}"
}

# Where there is no configuration, one is made whose keys all come from the environment. [filters] and
# [retention] hold lines, not keys, and have variables of their own.
make_config() {
  case $name in '' | .* | *[!A-Za-z0-9._-]*) stop "BACKUP_NAME: expected letters, digits, dots and dashes, found $name" ;; esac
  given=$(given_configs)
  for file in "$config"/*.conf; do
    # Of an earlier start, with another name or without other configurations.
    if is_ours "$file" && { [ -n "$given" ] || [ "$file" != "$config/$name.conf" ]; }; then rm -f "$file"; fi
  done
  [ -z "$given" ] || return 0
  if [ -z "${RCLONE_BACKUPS_DEFAULT_SOURCE:-}" ] || [ -z "${RCLONE_BACKUPS_DEFAULT_DESTINATION:-}" ]; then
    stop "expected a NAME.conf in $config, or RCLONE_BACKUPS_DEFAULT_SOURCE and RCLONE_BACKUPS_DEFAULT_DESTINATION, found neither" \
      "docs/container.md has an example of both"
  fi
  temporary=$config/.$name.conf.$$
  if ! { write_config >"$temporary" && mv -f "$temporary" "$config/$name.conf"; }; then
    stop "expected $config to be writable, found that it is not" "mount a volume there that user $(id -u) owns"
  fi
}

take_secrets
make_config
if [ $# -gt 0 ]; then exec "$@"; fi

case $every in '' | *[!0-9.]* | *.*.*) stop "BACKUP_CHECK_EVERY: expected a number of seconds, found $every" ;; esac

child=
stopping=
# A run ends its own children, and says so with 130.
# shellcheck disable=SC2329 # called by the trap
forward() {
  stopping=yes
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || :
}
trap forward TERM INT HUP

# Runs a command to its end, also when signals come meanwhile; sets code.
await() {
  "$@" &
  child=$!
  # A signal may have come before there was anything to forward it to.
  [ -z "$stopping" ] || kill -TERM "$child" 2>/dev/null || :
  while :; do
    code=0
    wait "$child" || code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
}

# The day that began at three in the morning; once in each, backups without a schedule run too.
day_file=$state/container.day
tried=
choose_due() {
  today=$(date -d '3 hours ago' +%F)
  if [ "$tried" != "$today" ]; then again=0 pause=3600; fi
  due=
  if [ "$(cat "$day_file" 2>/dev/null)" = "$today" ] || [ "$(date +%s)" -lt "$again" ]; then due=--due; fi
}

# A day counts as done when its run has ended. One of which something was skipped (75), or that was stopped
# or killed, comes again: after 1, 2, 4 and 8 hours, since it runs everything, what was good included.
keep_day() {
  if [ -n "$due" ]; then return; fi
  tried=$today
  if [ "$code" -ne 75 ] && [ "$code" -lt 128 ]; then
    if printf '%s\n' "$today" >"$day_file"; then return; fi
    say "cannot write $day_file"
  fi
  again=$(($(date +%s) + pause))
  pause=$((pause * 2))
}

say "looking every $every s what is due"
# One after another: a run that takes longer than the time between two never meets itself.
while [ -z "$stopping" ]; do
  choose_due
  [ -z "$stopping" ] || exit 0
  await rclone-backups run ${due:+"$due"}
  keep_day
  [ -z "$stopping" ] || exit "$code"
  case $code in 0 | 75) ;; *) say "rclone-backups run${due:+ $due}: exit code $code" ;; esac
  await sleep "$every"
done
exit 0
