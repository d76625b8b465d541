# Part of setup.sh: the two rclones of the tests. The "old" one is the distribution's, the "new" one
# Debian's current one; both end up in the cache, outside the checkout, and are found there next time.

if [ -z "${HOME:-}" ]; then HOME=$(node -p 'os.userInfo().homedir'); fi
cache=${RCLONE_BACKUPS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rclone-backups-tests}

find_rclones() {
  find_rclone old RCLONE_OLD "${RCLONE_OLD:-}"
  find_rclone new RCLONE_NEW "${RCLONE_NEW:-}"
}

# Whether find_rclones would have to fetch the new one.
fetches_new() { [ -z "${RCLONE_NEW:-}" ] && ! runs "$cache/rclone-new"; }

runs() { [ -x "$1" ] && "$1" version 2>/dev/null | grep -q '^rclone v'; }

# find_rclone old|new VARIABLE ITS-VALUE: returns when that rclone is there, else ends the script.
find_rclone() {
  if [ -n "$3" ]; then
    runs "$3" || stop 1 "$2 names $3, which is no rclone that runs here"
    return
  fi
  if runs "$cache/rclone-$1"; then return; fi
  if ! have apt-get || ! have dpkg; then
    stop 1 "the tests need an $1 rclone, and only on Debian and its kin is it found by itself" \
      "name one with $2=/path/to/rclone: RCLONE_OLD the distribution's, RCLONE_NEW a current one"
  fi
  mkdir -p "$cache" || stop 1 "cannot make $cache: name another place with RCLONE_BACKUPS_TEST_CACHE"
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  if [ "$1" = old ] && distribution_rclone; then
    ln -s /usr/bin/rclone "$work/rclone"
  else
    say "fetching the $1 rclone for the tests into $cache"
    "fetch_$1"
  fi
  runs "$work/rclone" || stop 1 "the $1 rclone that was fetched does not run here" \
    "name one that does with $2=/path/to/rclone"
  mv -f "$work/rclone" "$cache/rclone-$1"
  rm -rf "$work"
}

# Whether /usr/bin/rclone is the distribution's: packaged, and not overwritten since.
distribution_rclone() {
  [ -x /usr/bin/rclone ] && dpkg -S /usr/bin/rclone >/dev/null 2>&1 || return 1
  ! dpkg --verify rclone 2>/dev/null | grep -q '/usr/bin/rclone$'
}

fetch_old() {
  apt_settings "$work"
  fetch_package || stop 1 "the distribution's rclone could not be fetched (see above)" \
    "name one with RCLONE_OLD=/path/to/rclone"
}

fetch_new() {
  keyring=$(debian_keyring)
  [ -n "$keyring" ] || stop 1 "Debian's keys are missing: install the package debian-archive-keyring" \
    "or name a current rclone with RCLONE_NEW=/path/to/rclone"
  fallback=http://deb.debian.org/debian
  for mirror in $(system_mirror) $fallback; do
    printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "$mirror" >"$work/sid.list"
    apt_settings "$work" "$work/sid.list"
    if fetch_package; then return 0; fi
    if [ "$mirror" = $fallback ]; then break; fi
    say "nothing from $mirror; trying $fallback"
  done
  stop 1 "a current rclone could not be fetched (see above)" "name one with RCLONE_NEW=/path/to/rclone"
}

# Prints the file with Debian's keys, nothing where there is none.
debian_keyring() {
  for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    if [ -s "$file" ]; then printf '%s\n' "$file" && return; fi
  done
}

# The Debian mirror that this system's own apt uses, if there is one.
system_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n -e 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\(http[^[:space:]]*\).*/\2/p' \
      -e 's/^URIs:[[:space:]]*\(http[^[:space:]]*\).*/\1/p' |
    sed -n 's,/*$,,; /\/debian$/p' | head -n 1
}

# apt_settings WORK [SOURCES]: writes an apt configuration that keeps everything in WORK, so that it
# works without root and leaves the system's lists alone. SOURCES replaces the system's sources.
apt_settings() {
  rm -rf "$1/lists" "$1/archives"
  mkdir -p "$1/lists/partial" "$1/archives/partial"
  {
    printf 'Dir::State::lists "%s/lists";\n' "$1"
    printf 'Dir::Cache "%s/archives";\n' "$1"
    printf 'Dir::Cache::archives "%s/archives";\n' "$1"
    # The user that apt drops to can't look into a private home directory.
    printf 'APT::Sandbox::User "";\n'
    # They belong to the system's lists.
    printf '#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n'
    printf 'Acquire::Languages "none";\nAcquire::Retries "3";\n'
    if [ $# -gt 1 ]; then
      printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "/dev/null";\n' "$2"
      # The system's pins and default release speak of its own release.
      printf 'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "/dev/null";\n#clear APT::Default-Release;\n'
    fi
  } >"$1/apt.conf"
}

# Puts the rclone of the configured sources at $work/rclone.
fetch_package() {
  (
    cd "$work"
    apt-get -q -c "$work/apt.conf" update >apt.log 2>&1 && apt-get -q -c "$work/apt.conf" download rclone >>apt.log 2>&1 &&
      dpkg -x rclone_*.deb unpacked && mv unpacked/usr/bin/rclone rclone && rm -f rclone_*.deb && exit 0
    tail -n 8 apt.log >&2
    exit 1
  )
}
