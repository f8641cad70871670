# Shared by the scripts in this folder: source it, do not run it.
# Progress and complaints go to stderr, so that stdout stays a result that another script can read.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${KVS_CACHE:-$HOME/.cache/kvs}

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# Where programs and images for other machines go.
dist=${DIST:-$root/dist}

# elapsed SECONDS -> "3 min 07 s" or "7 s"
elapsed() { if (($1 >= 60)); then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi; }

# The two names that every build of ours agrees on; either can be set from outside.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

# go_tool NAME MODULE@VERSION -> its path: what is on the path, or built from its module once per machine.
go_tool() {
  command -v "$1" && return
  if [[ ! -x $cache/tools/$1 ]]; then
    command -v go >/dev/null || { say "$1 is built with Go, which is not here"; return 1; }
    say "Building $1 (once)"
    GOBIN=$cache/tools go install "$2" >&2 || { say "$1 could not be built"; return 1; }
  fi
  printf '%s\n' "$cache/tools/$1"
}

helm_module=helm.sh/helm/v4/cmd/helm@v4.3.1
