#!/bin/sh
# npm run quickstart: installs what is missing, builds, and makes a first encrypted, verified backup.
set -eu

usage() {
  cat <<'TEXT'
usage: npm run quickstart -- [--yes] [--dir QUICKSTART] [DIR]

Makes an encrypted backup of DIR on this disk and verifies it; nothing in DIR is changed.
Without DIR, a sample tree is made and backed up.

  -y, --yes    install what is missing without asking
  --dir PLACE  where the configuration, the password and the backup go: an empty directory, or
               that of an earlier quickstart ($RCLONE_BACKUPS_QUICKSTART,
               default ~/rclone-backups-quickstart)

Exit codes: 0 done, 2 wrong usage or stopped before anything was changed; else that of rclone-backup.
TEXT
}

refuse() {
  printf 'quickstart: %s\n' "$*" >&2
  exit 2
}

yes=
place=${RCLONE_BACKUPS_QUICKSTART:-}
source=
while [ $# -gt 0 ]; do
  case $1 in
    -y | --yes) yes=--yes ;;
    --dir)
      [ $# -gt 1 ] || refuse "--dir needs a directory"
      place=$2
      shift
      ;;
    --dir=*) place=${1#--dir=} ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && refuse "unknown option: $1" ;;
    *)
      [ -z "$source" ] || refuse "expected one directory, found two: $source and $1"
      [ -n "$1" ] || refuse "the directory to back up is an empty name"
      source=$1
      ;;
  esac
  shift
done
if [ -z "$place" ]; then
  [ -n "${HOME:-}" ] || refuse "HOME is not set: say with --dir where the quickstart may put its files"
  place=$HOME/rclone-backups-quickstart
fi

# npm changes to the checkout; names are meant from where the user stands.
from=${INIT_CWD:-$PWD}
case $place in /*) ;; *) place=$from/$place ;; esac
case $source in '' | /*) ;; *) source=$from/$source ;; esac
if [ -n "$source" ] && [ ! -d "$source" ]; then refuse "no such directory: $source"; fi

cd "$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)"
sh scripts/setup.sh $yes
sh scripts/build.sh
exec node --import tsx scripts/quickstart.ts "$place" ${source:+"$source"}
