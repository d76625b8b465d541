#!/bin/sh
# npm run bench: installs what is missing, builds, and measures; see docs/benchmarks.md and --help.
set -eu

# npm changes to the checkout; names are meant from where the user stands.
from=${INIT_CWD:-$PWD}
cd "$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)"

yes=
# Where nobody can be asked, npm run bench itself was the question.
if [ -n "${CI:-}" ] || [ ! -t 0 ]; then yes=--yes; fi
sh scripts/setup.sh --tests $yes
sh scripts/build.sh

# An extra CA file slows every start of Node down.
unset NODE_EXTRA_CA_CERTS NODE_OPTIONS
BENCH_FROM=$from exec node --import tsx scripts/bench.ts "$@"
