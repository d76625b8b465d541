# Part of setup.sh: which tools are missing, and how each package manager installs them.

# Prints the names of missing tools, in our words, on one line.
missing_tools() {
  list=
  # The tests bring their own two rclones.
  if [ "$tests" = no ]; then have rclone || list="$list rclone"; fi
  gnu_tar || list="$list tar"
  if [ "$(uname -s)" = Linux ]; then
    # busybox has small ones of the same names that lack what is needed here.
    flock --version 2>/dev/null | grep -q util-linux || list="$list flock"
    setpriv --help 2>/dev/null | grep -q -e --pdeathsig || list="$list setpriv"
  else
    have flock || list="$list flock"
  fi
  certificates || list="$list ca-certificates"
  if [ "$tests" = yes ] && have apt-get && { fetches_new || fetches_current; } && [ -z "$(debian_keyring)" ]; then
    list="$list debian-archive-keyring"
  fi
  if [ "$tests" = yes ]; then list="$list$(missing_test_tools)"; fi
  printf '%s\n' "${list# }"
}

gnu_tar() {
  for program in tar gtar; do
    case $($program --version 2>/dev/null) in *"GNU tar"*) return 0 ;; esac
  done
  return 1
}

certificates() {
  [ "$(uname -s)" = Darwin ] && return 0 # macOS keeps them in its keychain
  for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
    /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem \
    "${SSL_CERT_FILE:-/nonexistent}"; do
    [ -s "$file" ] && return 0
  done
  return 1
}

# Sets manager, and as_root to what goes in front of its commands.
choose_manager() {
  manager=
  as_root=
  for candidate in apt-get dnf zypper pacman apk brew; do
    if have $candidate; then
      manager=$candidate
      break
    fi
  done
  [ -n "$manager" ] || stop 2 "none of apt, dnf, zypper, pacman, apk and brew was found" \
    "install these yourself, then run this again: $missing"
  [ $manager = brew ] && return 0
  [ "$(id -u)" = 0 ] && return 0
  if have sudo; then
    as_root="sudo "
    # Nobody could type a password.
    if [ ! -t 0 ]; then as_root="sudo -n "; fi
    return 0
  fi
  packages=$(packages_for "$manager" $missing)
  stop 2 "this needs root, and there is no sudo: type this as root, then run this again" "  $(install_line)"
}

# packages_for MANAGER TOOL...: the names of the packages that hold these tools.
packages_for() {
  chosen=$1
  shift
  names=
  for tool; do
    case $chosen:$tool in
      apk:flock | apk:setpriv | brew:flock) name=$tool ;;
      *:flock | *:setpriv) name=util-linux ;;
      brew:tar) name=gnu-tar ;;
      brew:sshd | pacman:sshd | zypper:sshd) name=openssh ;;
      *:sshd) name=openssh-server ;;
      apt-get:python3-venv) name=python3-venv ;;
      brew:python3-venv | pacman:python3-venv) name=python ;;
      *:python3-venv) name=python3 ;;
      apt-get:groff | dnf:groff) name=groff-base ;;
      apt-get:go | dnf:go) name=golang ;;
      *) name=$tool ;;
    esac
    case " $names " in *" $name "*) ;; *) names="$names $name" ;; esac
  done
  printf '%s\n' "${names# }"
}

# The command line that installs $packages, as the user could type it.
install_line() {
  case $manager in
    apt-get)
      printf '%sapt-get update && %senv DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends %s\n' \
        "$as_root" "$as_root" "$packages"
      ;;
    dnf) printf '%sdnf install -y %s\n' "$as_root" "$packages" ;;
    zypper) printf '%szypper --non-interactive install %s\n' "$as_root" "$packages" ;;
    pacman) printf '%spacman -Sy --needed --noconfirm %s\n' "$as_root" "$packages" ;;
    apk) printf '%sapk add --no-cache %s\n' "$as_root" "$packages" ;;
    brew) printf 'brew install %s\n' "$packages" ;;
  esac
}

# A server that the tests start themselves must not run on its own, now or at the next start.
keep_stopped() {
  case " $packages " in *" openssh-server "* | *" openssh "*) have systemctl || return 0 ;; *) return 0 ;; esac
  say "sshd is for the tests only, so that its service is masked; systemctl unmask undoes it"
  # shellcheck disable=SC2086 # a list of words
  ${as_root}systemctl mask ssh.service ssh.socket sshd.service sshd.socket >&2
}

# Runs install_line. Its output goes to stderr, as everything else here.
install_packages() {
  keep_stopped || return
  if [ $manager = apt-get ]; then
    # One broken third-party source must not stop an installation that doesn't need it.
    ${as_root}apt-get -q update >&2 || say "apt-get update had errors; trying to install all the same"
    # shellcheck disable=SC2086 # both are lists of words
    ${as_root}env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $packages >&2 </dev/null
    return
  fi
  # The line holds only words from this file.
  eval "$(install_line)" >&2 </dev/null
}
