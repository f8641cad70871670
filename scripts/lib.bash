# Shared by the scripts in this folder: source it, do not run it.
# Progress and complaints go to stderr, so that stdout stays a result that another script can read.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${KVS_CACHE:-$HOME/.cache/kvs}

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# elapsed SECONDS -> "3 min 07 s" or "7 s"
elapsed() { if (($1 >= 60)); then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi; }

# The two names that every build of ours agrees on; either can be set from outside.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
