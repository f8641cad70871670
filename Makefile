# One entry point for people and CI. `make` lists what there is; the work is in scripts/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One target folder for every clone on this machine, outside all of them.
KVS_CACHE ?= $(HOME)/.cache/kvs
CARGO_TARGET_DIR ?= $(KVS_CACHE)/target
export KVS_CACHE CARGO_TARGET_DIR

# cargo with this machine's RocksDB library, which is built when it is missing.
CARGO := scripts/cargo

MINUTES ?= 60
SECONDS ?= 600
BAR ?=

.PHONY: help run cluster cluster-stop cluster-wipe build test fmt lint clippy check-generated demo \
  walkthrough bench prove evidence soak fuzz schemathesis deny setup rocksdb install-tools \
  image manifests charts e2e e2e-gate

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

run: setup ## install what is missing, build, start a node here in the foreground
	@echo "Building the node: minutes the first time on a machine, seconds after that" >&2
	@$(CARGO) build --locked --release -p kvs-node --bin kvs
	@exec "$(CARGO_TARGET_DIR)/release/kvs" run config.yaml

cluster: setup ## three nodes on this machine that are one store, ready to play with
	@scripts/cluster

cluster-stop: ## stop them; what they hold stays
	@scripts/cluster stop

cluster-wipe: ## stop them and remove all that was made
	@scripts/cluster wipe

build: setup ## static release binaries into dist/
	@scripts/dist

test: ## install what the tests need and run all of them
	@scripts/test

image: build ## images of node, operator and e2e into dist/images/, without a registry
	@scripts/dist kvs-e2e
	@scripts/image

manifests: setup ## make crds/, install.yaml and the charts' generated parts from the code
	@KVS_UPDATE=1 $(CARGO) test --locked -q -p kvs-operator-core generated

charts: ## judge charts, alerts and what is made of them with Helm, promtool and kube-score
	@scripts/charts

e2e: ## run all scenarios on a real Kubernetes, write docs/e2e.md
	@scripts/e2e

e2e-gate: ## run those that every commit must pass
	@scripts/e2e --gate

fmt: ## format all code
	@cargo fmt --all
	@for dir in fuzz bench; do test ! -f $$dir/Cargo.toml || cargo fmt --manifest-path $$dir/Cargo.toml; done

lint: setup ## formatting and clippy, warnings denied
	@cargo fmt --all --check
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

clippy: lint

check-generated: setup ## are docs/openapi.json and the configuration's schema what the code says?
	@$(CARGO) test --locked --workspace generated

demo: ## import, walk, export and compare every record of Debian's iso-codes
	@scripts/setup test
	@scripts/demo

walkthrough: ## run the commands of docs/cluster.md and compare what they print
	@scripts/setup test
	@scripts/walkthrough

bench: ## measure beside etcd, Redis and NATS, write docs/benchmarks.md
	@scripts/setup bench
	@bench/peers/install.sh
	@scripts/bench

prove: ## measure one bar, write evidence/BAR.json: make prove BAR=crash
	@scripts/setup test
	@scripts/evidence prove "$(BAR)"

evidence: ## how old is each piece of evidence, measured in code that changed since?
	@scripts/evidence status

soak: ## crash rounds and fuzzing for as long as told: make soak MINUTES=60
	@scripts/setup test
	@scripts/soak $(MINUTES)

fuzz: setup ## fuzz the codecs and parsers: make fuzz SECONDS=600 (per target)
	@scripts/fuzz $(SECONDS)

schemathesis: ## fuzz a running node by its own OpenAPI document
	@scripts/setup test
	@scripts/schemathesis

deny: ## licences, duplicate and vulnerable dependencies, if cargo-deny is there
	@if command -v cargo-deny >/dev/null; then cargo deny check; \
	else echo "cargo-deny is not installed (make install-tools takes about 5 minutes)"; fi

setup: ## install what building needs (Debian packages)
	@scripts/setup build

rocksdb: setup ## build the RocksDB library of this machine, print its folder
	@scripts/rocksdb

install-tools: ## optional tools for developers: cargo-deny
	cargo install --locked cargo-deny
