# Every command that a person or a machine needs, one word each. `make` alone lists them.
# The work is done by cargo and by the program `cluster` (tests/cluster); here are only names, and checks that
# what they need is installed, with the command that installs it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# One cargo at a time: two would only wait for each other.
.NOTPARALLEL:

CARGO ?= cargo
# How many nodes `make cluster` starts.
NODES ?= 3
# More words for `cargo test`, such as --no-fail-fast.
TEST_FLAGS ?=
# Not empty when `make test` has just passed: `make verify` does not repeat it.
TESTED ?=
# Where cargo builds, as cargo itself decides it.
TARGET := $(or $(CARGO_TARGET_DIR),target)
# rustup installs here, and a shell that is older than the installation does not know it.
export PATH := $(PATH):$(HOME)/.cargo/bin

# More words for the long runs, such as --backend file --seed 7.
SOAK_FLAGS ?=
SOAKS := crash power flips full
SOAK_TARGETS := $(addprefix soak-,$(SOAKS))

# How long `make chaos` and `make prove` go on, the seed of a run to be repeated (also of `make sim`), and more words, such as --nodes 5.
CHAOS_SECONDS ?= 60
SEED ?=
CHAOS_FLAGS ?=
# The nodes' configuration for `make prove`.
CONFIG ?=
# Where `make sim-long` begins, and a rule that `make sim` breaks.
FROM ?= 0
MUTANT ?=

# Examples of each operation that `make openapi-check` tries, and more words for it, such as --seed 1.
EXAMPLES ?= 20
OPENAPI_FLAGS ?=
SCHEMATHESIS := $(TARGET)/schemathesis/bin/st

# Prometheus, where it is not installed.
PROMETHEUS := $(abspath $(TARGET))/prometheus/usr/bin

# Where the types that Grafana publishes are installed, and their compiler.
GRAFANA_SCHEMA := $(abspath $(TARGET))/grafana-schema

# Where the console's tests have their packages, and leave pictures of its pages; and the browser that they drive.
CONSOLE_TESTS := $(abspath $(TARGET))/console-check
CHROMIUM ?= /usr/bin/chromium
# In a directory: what its package-lock.json says, unless just that is installed.
NPM_CI = cmp -s package-lock.json node_modules/.installed-lock || { \
	npm ci --ignore-scripts --no-audit --no-fund && cp package-lock.json node_modules/.installed-lock; }

# A program that needs nothing of the system that it runs on. The target is named so that what only runs while building
# is built as usual.
STATIC_TARGET := $(shell uname -m)-unknown-linux-gnu
STATIC := $(TARGET)/$(STATIC_TARGET)/release/gridkv
# Python tools that bring the schemas of compose files and of Kubernetes.
SCHEMAS := $(TARGET)/schemas/bin

# More words for the benchmarks, such as --rounds 3.
BENCH_FLAGS ?=
BENCHES := structures backends funnel http replication healing bootstrap slow-peer snapshot watchers tls bad-clients metrics
# Those that measure real nodes, and put their tables on the page.
NODE_BENCHES := replication healing bootstrap slow-peer snapshot watchers tls bad-clients metrics
BENCH_TARGETS := $(addprefix bench-,$(BENCHES))

.PHONY: help run cluster clean-cluster test lint verify fix sim sim-long sim-mutants chaos prove openapi openapi-check dashboards dashboards-check dashboards-packages grafana console-check console-packages console-vendor soak $(SOAK_TARGETS) soak-logs bench $(BENCH_TARGETS) \
	static packaging-check release deny sbom need-schemas need-deny need-cyclonedx \
	build-counting build-node need-schemathesis need-prometheus need-npm need-browser need-config need-cargo need-cc need-rustfmt need-clippy

help: ## List these commands.
	@printf 'make COMMAND, where COMMAND is one of\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '  %-16s %s\n' 'bench-NAME' 'One of them alone: $(BENCHES).'
	@printf '  %-16s %s\n' 'soak-NAME' 'One of them alone: $(SOAKS).'

## Running

run: need-cargo need-cc ## Build, start three nodes with fresh data, prove that they replicate, stay up; Ctrl-C stops all.
	$(CARGO) build --release -p gridkv -p gridkv-cluster
	@$(TARGET)/release/cluster run --gridkv $(TARGET)/release/gridkv

cluster: need-cargo need-cc ## Build and start NODES=3 empty nodes with fresh data; Ctrl-C stops all.
	$(CARGO) build --release -p gridkv -p gridkv-cluster
	@$(TARGET)/release/cluster up --nodes $(NODES) --gridkv $(TARGET)/release/gridkv

grafana: need-cargo need-cc need-prometheus ## Prometheus, and Grafana where it is installed, for the NODES=3 of another terminal; Ctrl-C stops both.
	@$(CARGO) build --locked --quiet -p gridkv-dashboards
	@PATH="$(PROMETHEUS):$$PATH" $(TARGET)/debug/dashboards show --nodes $(NODES) --dir $(TARGET)/grafana

clean-cluster: ## Stop nodes that a crashed run left behind, and remove .cluster/ with logs and data.
	@for file in .cluster/n*/pid; do \
		[ -f "$$file" ] || continue; \
		pid=$$(cat "$$file"); \
		if tr '\0' ' ' 2>/dev/null < "/proc/$$pid/cmdline" | grep -qF -- '$(CURDIR)/.cluster/'; then \
			echo "killing $$file: process $$pid"; kill -s KILL "$$pid"; \
		fi; \
	done
	rm -rf .cluster

## Proving

# The simulator works and real nodes mostly wait: they are run beside each other, and it gives way.
# The checks below that drive real nodes take those that it has built, and build nothing twice.
TEST_NODES := $(CARGO) test --locked --workspace --exclude gridkv-bench --exclude gridkv-sim
TEST_SIM := $(CARGO) test --locked --profile sim -p gridkv-sim

test: need-cargo need-cc ## Run every test: units, documentation, simulations, and processes.
	$(TEST_NODES) --no-run
	$(TEST_SIM) --no-run
	@set -m; nice -n 19 $(TEST_SIM) $(TEST_FLAGS) > $(TARGET)/test-sim.log 2>&1 & simulator=$$!; set +m; status=0; \
		trap 'kill -s TERM -- -$$simulator 2> /dev/null || true' EXIT; \
		$(TEST_NODES) $(TEST_FLAGS) || status=$$?; \
		echo 'The simulator, which began with the others:'; \
		wait $$simulator || status=$$?; cat $(TARGET)/test-sim.log; exit $$status

lint: need-cargo need-cc need-rustfmt need-clippy ## Check format, lints and documentation; never writes.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package gridkv --package gridkv-storage --no-default-features -- -D warnings
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --workspace --no-deps

verify: lint $(if $(TESTED),,test) ## All that must hold before a change goes in: lint and test; never writes.
	@echo 'verify: all holds'

fix: need-cargo need-cc need-rustfmt need-clippy ## Format, and apply what clippy can repair by itself; writes.
	$(CARGO) clippy --fix --allow-dirty --allow-staged --workspace --all-targets
	$(CARGO) fmt --all

openapi: need-cargo need-cc ## Write http/openapi.json anew, the document that a node serves; a test keeps the two equal.
	GRIDKV_WRITE_OPENAPI=1 $(CARGO) test --locked -q -p gridkv-http --lib openapi

openapi-check: need-cargo need-cc need-schemathesis ## Try three nodes from their own document with Schemathesis, EXAMPLES=20 for each operation.
	$(TEST_NODES) --no-run
	$(TARGET)/debug/cluster with --free-ports --gridkv $(TARGET)/debug/gridkv --dir $(TARGET)/openapi-cluster \
		-- bash -c 'cd $(TARGET) && exec $(abspath $(SCHEMATHESIS)) --config-file $(CURDIR)/tests/openapi/schemathesis.toml \
			run "$$GRIDKV_URL/v1/openapi.json" --checks all --max-examples $(EXAMPLES) $(OPENAPI_FLAGS)'

dashboards: need-cargo need-cc ## Write grafana/dashboards and the operator's rules anew from tests/dashboards; a test keeps them equal.
	$(CARGO) run --locked --quiet -p gridkv-dashboards -- write

dashboards-check: need-cargo need-cc need-prometheus dashboards-packages ## Dashboards and alerts against a real Prometheus and three nodes in trouble.
	$(TEST_NODES) --no-run
	@PATH="$(PROMETHEUS):$$PATH" $(TARGET)/debug/dashboards check --gridkv $(TARGET)/debug/gridkv --packages $(GRAFANA_SCHEMA) --dir $(TARGET)/dashboards

dashboards-packages: need-npm
	@mkdir -p $(GRAFANA_SCHEMA) && cp tests/dashboards/schema/package*.json $(GRAFANA_SCHEMA)/
	@cd $(GRAFANA_SCHEMA) && { $(NPM_CI); }

console-check: need-cargo need-cc console-packages ## Drive the console in Chromium against real nodes; leaves pictures in target/console-check/.
	GRIDKV_CONSOLE_MODULES=$(CONSOLE_TESTS) GRIDKV_CONSOLE_OUT=$(CONSOLE_TESTS)/pictures GRIDKV_CHROMIUM=$(CHROMIUM) \
		$(TEST_NODES) --test console -- --ignored --nocapture

# The script beside its packages, where Node.js looks for them.
console-packages: need-browser
	@mkdir -p $(CONSOLE_TESTS)
	@cp tests/console/* $(CONSOLE_TESTS)/ && rm -rf $(CONSOLE_TESTS)/console && cp -r http/console $(CONSOLE_TESTS)/
	@cd $(CONSOLE_TESTS) && { $(NPM_CI); }

console-vendor: ## Fetch the console's libraries from npm anew, as http/console/vendor/SOURCES names them.
	http/console/vendor/fetch

soak: $(SOAK_TARGETS) ## The long runs: kill, cut the power, damage, fill the disk; two of them need root.

$(SOAK_TARGETS): soak-%: need-cargo need-cc
	$(CARGO) build --release --locked -p gridkv -p gridkv-soak
	$(TARGET)/release/soak $* --gridkv $(TARGET)/release/gridkv $(SOAK_FLAGS)

soak-logs: need-cargo need-cc ## A log of a million lines, in which no token, secret, key or value may be.
	$(CARGO) test --locked -p gridkv --test tokens -- --ignored

sim: need-cargo need-cc ## Replay one seed of the simulator, SEED=1, with its trace; MUTANT=name breaks a rule.
	@$(CARGO) run --locked --quiet --profile sim -p gridkv-sim -- replay $(or $(SEED),1) $(if $(MUTANT),--mutant $(MUTANT))

sim-long: need-cargo need-cc ## Run seeds from FROM=0 on until stopped; reports seeds, operations and simulated hours.
	@$(CARGO) run --locked --quiet --profile sim -p gridkv-sim -- long $(FROM)

# In place only when it is whole.
sim-mutants: need-cargo need-cc ## How many seeds it takes to notice each broken rule, from ten starts; renews tests/sim/MUTANTS.md.
	$(CARGO) build --locked --profile sim -p gridkv-sim
	$(TARGET)/sim/sim table > $(TARGET)/MUTANTS.md
	mv $(TARGET)/MUTANTS.md tests/sim/MUTANTS.md

chaos: CHAOS = run
prove: CHAOS = prove --config '$(CONFIG)'

chaos: need-cargo need-cc ## Nodes behind links that fail, killed and stopped, for CHAOS_SECONDS=60; one page tells what was found.
prove: need-config need-cargo need-cc ## The same with a configuration of your own: CONFIG=my.toml.

chaos prove:
	$(CARGO) build --release --locked -p gridkv -p gridkv-chaos
	@$(TARGET)/release/chaos $(CHAOS) --gridkv $(TARGET)/release/gridkv --seconds $(CHAOS_SECONDS) \
		$(if $(SEED),--seed $(SEED)) --out $(TARGET)/chaos $(CHAOS_FLAGS)

## Measuring

bench: $(BENCH_TARGETS) ## Run all benchmarks, optimised; renews the tables of PERFORMANCE.md.

$(BENCH_TARGETS): bench-%: need-cargo need-cc
	$(CARGO) run --release --locked -p gridkv-bench --bin $* -- $(BENCH_FLAGS)

bench-backends: override BENCH_FLAGS += --page PERFORMANCE.md
bench-backends: build-counting

# The benchmark of the backends runs it.
build-counting: need-cargo need-cc
	$(CARGO) build --release --locked -p gridkv-bench --bin allocations

$(addprefix bench-,$(NODE_BENCHES)): override BENCH_FLAGS += --gridkv $(TARGET)/release/gridkv --page PERFORMANCE.md
$(addprefix bench-,$(NODE_BENCHES)): build-node

build-node: need-cargo need-cc
	$(CARGO) build --release --locked -p gridkv

## Shipping

static: need-cargo need-cc ## Build a program that needs no library and no file of the system it runs on.
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --release --locked -p gridkv --bin gridkv --target $(STATIC_TARGET)
	@! ldd $(STATIC) 2>&1 | grep '=>' || { echo '$(STATIC) needs libraries' >&2; exit 1; }
	@ls -lh $(STATIC)

release: need-cargo need-cc ## Build the program as it is shipped, and report its profile, size, crates and checksum.
	$(CARGO) build --release --locked -p gridkv
	@sed -n '/^\[profile.release\]/,/^$$/p' Cargo.toml
	@printf '%s crates in it, %s bytes\n' \
		"$$($(CARGO) tree --locked -p gridkv --edges normal --prefix none --no-dedupe | cut -d ' ' -f 1,2 | sort -u | wc -l)" \
		"$$(stat -c %s $(TARGET)/release/gridkv)"
	@cd $(TARGET)/release && sha256sum gridkv

packaging-check: static need-schemas ## The static program in an empty root, and the manifests against their schemas.
	packaging/empty-root $(STATIC)
	$(SCHEMAS)/check-jsonschema --builtin-schema vendor.compose-spec packaging/compose/compose.yaml
	@if command -v kubectl > /dev/null; then \
		kubectl kustomize packaging/kubernetes > $(TARGET)/kubernetes.yaml; \
	else \
		echo 'kubectl is missing: the files are looked at one by one'; \
		awk 'FNR == 1 { print "---" } { print }' $(filter-out %/kustomization.yaml %/service-monitor.yaml %/prometheus-rule.yaml,$(wildcard packaging/kubernetes/*.yaml)) \
			> $(TARGET)/kubernetes.yaml; \
	fi
	$(SCHEMAS)/kubernetes-validate --strict --quiet -k 1.30 $(TARGET)/kubernetes.yaml
	$(CARGO) test --locked -p gridkv --test packaging

# The database of advisories is a repository of its own, which can not be had everywhere.
deny: need-deny ## Licences, sources and bans of what is depended on, and advisories where their database can be had.
	$(CARGO) deny --workspace check licenses bans sources
	@if $(CARGO) deny fetch db; then \
		$(CARGO) deny --workspace check advisories; \
	else \
		echo 'The database of advisories can not be had here: only the versions in deny.toml were looked at.' >&2; \
	fi

# The tool writes beside every manifest.
sbom: need-cyclonedx ## Write target/gridkv.cdx.json: what the program is made of, as a CycloneDX bill of materials.
	$(CARGO) cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --no-build-deps
	@mv gridkv_bin.cdx.json $(TARGET)/gridkv.cdx.json
	@find . -name '*_bin.cdx.json' -not -path './target/*' -delete
	@printf '%s: %s components\n' $(TARGET)/gridkv.cdx.json "$$(grep -c '"bom-ref": "registry+' $(TARGET)/gridkv.cdx.json)"

## What the above need

need-cargo:
	@command -v $(CARGO) > /dev/null || { \
		echo 'cargo is missing. Install Rust from https://rustup.rs, or: apt-get install -y rustup && rustup default stable' >&2; \
		exit 1; }

need-config:
	@[ -f '$(CONFIG)' ] || { echo 'Say which configuration: make prove CONFIG=my.toml' >&2; exit 1; }

need-cc:
	@command -v cc > /dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo 'The linker cc is missing: running apt-get install -y build-essential'; \
		apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y build-essential; \
	else \
		echo 'The linker cc is missing. On Debian: sudo apt-get install -y build-essential' >&2; \
		exit 1; \
	fi

# Only the files of Debian's package: installing it would start a service, and need root.
need-prometheus:
	@PATH="$(PROMETHEUS):$$PATH"; command -v prometheus > /dev/null && command -v promtool > /dev/null && exit 0; \
	if command -v apt-get > /dev/null && command -v dpkg > /dev/null; then \
		echo 'Prometheus is missing: unpacking its Debian package in $(TARGET)/prometheus'; \
		mkdir -p $(TARGET)/prometheus && cd $(TARGET)/prometheus && rm -f prometheus_*.deb; \
		apt-get -qq download prometheus || { echo 'Try again after: sudo apt-get update' >&2; exit 1; }; \
		dpkg -x prometheus_*.deb . && rm prometheus_*.deb; \
	else \
		echo 'prometheus and promtool are missing. Get 2.42 or later from https://prometheus.io/download and put both into the PATH' >&2; \
		exit 1; \
	fi

need-npm:
	@command -v npm > /dev/null || { \
		echo 'npm is missing. On Debian: sudo apt-get install -y --no-install-recommends nodejs npm' >&2; exit 1; }

need-browser:
	@missing=(); \
	command -v node > /dev/null || missing+=(nodejs); \
	command -v npm > /dev/null || missing+=(npm); \
	[ -x '$(CHROMIUM)' ] || missing+=(chromium); \
	[ $${#missing[@]} = 0 ] || { \
		echo "missing: $${missing[*]}. On Debian: sudo apt-get install -y $${missing[*]} fonts-liberation; another browser: CHROMIUM=/path" >&2; exit 1; }; \
	[ "$$(node --print 'process.versions.node.split(".")[0]')" -ge 20 ] || { echo 'Node.js 20 or newer is needed' >&2; exit 1; }

# A Python tool, in a directory of its own under the target.
need-schemathesis: $(SCHEMATHESIS)

$(SCHEMATHESIS):
	@command -v python3 > /dev/null || { echo 'python3 is missing. On Debian: sudo apt-get install -y python3 python3-venv' >&2; exit 1; }
	@python3 -m venv $(TARGET)/schemathesis || { echo 'On Debian: sudo apt-get install -y python3-venv' >&2; exit 1; }
	@$(TARGET)/schemathesis/bin/pip install --quiet --disable-pip-version-check schemathesis==4.32.5

need-schemas: $(SCHEMAS)/check-jsonschema

$(SCHEMAS)/check-jsonschema:
	@command -v python3 > /dev/null || { echo 'python3 is missing. On Debian: sudo apt-get install -y python3 python3-venv' >&2; exit 1; }
	@python3 -m venv $(TARGET)/schemas || { echo 'On Debian: sudo apt-get install -y python3-venv' >&2; exit 1; }
	@$(SCHEMAS)/pip install --quiet --disable-pip-version-check check-jsonschema==0.39.0 kubernetes-validate==1.37.0

need-deny: need-cargo
	@$(CARGO) deny --version > /dev/null 2>&1 || { \
		echo 'cargo-deny is missing. Install it with: cargo install --locked cargo-deny' >&2; exit 1; }

need-cyclonedx: need-cargo
	@$(CARGO) cyclonedx --version > /dev/null 2>&1 || { \
		echo 'cargo-cyclonedx is missing. Install it with: cargo install --locked cargo-cyclonedx' >&2; exit 1; }

need-rustfmt: need-cargo
	@$(CARGO) fmt --version > /dev/null 2>&1 || { \
		echo 'rustfmt is missing. Install it with: rustup component add rustfmt' >&2; exit 1; }

need-clippy: need-cargo
	@$(CARGO) clippy --version > /dev/null 2>&1 || { \
		echo 'clippy is missing. Install it with: rustup component add clippy' >&2; exit 1; }
