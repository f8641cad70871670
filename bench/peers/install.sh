#!/bin/sh
# Brings the servers that the benchmark compares with: etcd and nats-server, built from the
# versions pinned in go.mod beside this script, and Debian's redis-server.
#
# It may be run any number of times: what is there already is left as it is. A peer that cannot
# be had is named with its reason and does not stop the others; the benchmark leaves it out.
# Binaries go to $KVS_PEERS, by default ~/.cache/kvs/peers.
set -u

here=$(cd "$(dirname "$0")" && pwd)
peers=${KVS_PEERS:-$HOME/.cache/kvs/peers}
mkdir -p "$peers"

# A build is reused only for the very same list of modules and the same compiler.
stamp=$(cd "$here" && { cat go.mod go.sum; go version; } 2>/dev/null | sha256sum | cut -c1-16)

missing() { # name reason
    echo "left out: $1: $2"
    echo "$2" >"$peers/$1.missing"
}

have() { # name
    rm -f "$peers/$1.missing"
    echo "ready: $1 ($peers/$1)"
}

build() { # name package
    if [ -x "$peers/$1" ] && [ "$(cat "$peers/$1.stamp" 2>/dev/null)" = "$stamp" ]; then
        have "$1"
        return
    fi
    if ! command -v go >/dev/null; then
        missing "$1" "there is no Go compiler on this machine"
        return
    fi
    echo "building $1 from $2, two minutes or less ..."
    if (cd "$here" && nice go build -trimpath -o "$peers/$1.new" "$2") >"$peers/$1.log" 2>&1; then
        mv "$peers/$1.new" "$peers/$1"
        echo "$stamp" >"$peers/$1.stamp"
        have "$1"
    else
        missing "$1" "go build failed: $(tail -n 1 "$peers/$1.log")"
    fi
}

# The package starts a server of its own after it is installed; a policy of 101 forbids that.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
}

install_redis() {
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    if [ -z "$sudo" ]; then forbid_services; fi
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends redis-server >"$peers/redis-server.log" 2>&1
}

redis() {
    if ! command -v redis-server >/dev/null; then
        echo "installing redis-server from Debian ..."
        install_redis
    fi
    if command -v redis-server >/dev/null; then
        ln -sf "$(command -v redis-server)" "$peers/redis-server"
        have redis-server
    else
        missing redis-server "apt-get: $(tail -n 1 "$peers/redis-server.log")"
    fi
}

redis
build nats-server github.com/nats-io/nats-server/v2
build etcd go.etcd.io/etcd/server/v3
