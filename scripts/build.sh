#!/bin/sh
# Builds dist/ unless it is newer than everything it is made from, and was built for this Node.js.
set -eu

cd "$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)"
stamp=node_modules/.rclone-backups-built
here=$(node -p 'process.arch + "-" + v8.cachedDataVersionTag()')
if [ -f "$stamp" ] && [ -f dist/bin/rclone-backup.js ] && [ -d "dist/compiled/$here" ] &&
  [ -z "$(find bin lib exporters package.json package-lock.json scripts/build.ts scripts/build scripts/manual.ts scripts/manual -newer "$stamp" | head -n 1)" ]; then
  exit 0
fi
# A mark made before the build can't hide a later change.
touch "$stamp.new"
npm run --silent build
mv -f "$stamp.new" "$stamp"
