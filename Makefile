# Notabot. `make` without a target lists the targets.
VENV ?= .venv
PYTHON := $(VENV)/bin/python
# A worker more than there are cores, since many tests wait for another process. A file's tests share
# its fixtures, so a file stays on one worker; the long files come first as collected. A worker needs
# about 1 GB, hence the limit.
PARALLEL := --numprocesses $$(( $$(nproc) + 1 )) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
PROTOS := $(wildcard proto/notabot/v1/*.proto)
# Copied by each worker, which afterwards compiles for itself what has changed.
COMPILED := var/numba/ahead

# Containers often set it. Tests start Python dozens of times, which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run demo test attack cluster-test check format page bench planning proto errors golden gallery sbom clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup:  ## Build the virtual environment with every pinned dependency
	@deploy/setup.sh $(VENV)

demo: export EXTRAS ?= bot,service
run: export EXTRAS ?= bot,service,page
run: setup  ## Start the service and the bot; without BOT_TOKEN, a chat page in the browser
	@VENV=$(VENV) deploy/run.sh

demo: setup  ## Transcribe the project's own samples into out/
	@VENV=$(VENV) deploy/demo.sh

$(COMPILED): | setup
	@rm -rf $@.part
	@NUMBA_CACHE_DIR=$@.part $(PYTHON) -m tests.compile_ahead
	@mv $@.part $@

test: setup $(COMPILED)  ## Run the whole test suite, on all cores; COVERAGE=1 measures coverage too
	@$(PYTHON) -m pytest $(PARALLEL) $(if $(COVERAGE),--cov --cov-report=)

attack: setup  ## Attack the real programs over loopback, and print what survived
	@$(PYTHON) -m pytest tests/attack --attack -n0

cluster-test: setup  ## Kill parts of a cluster on this machine while people send recordings
	@$(PYTHON) -m pytest tests/cluster --cluster -n0 -s

check: setup  ## Format, lint, types, import contracts, generated code and tables, deployment files
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PYTHON) deploy/generate_proto.py --check
	@$(PYTHON) -m deploy.errors_page --check
	@$(PYTHON) -m deploy.practice_page --check
	@$(VENV)/bin/hadolint deploy/*.Dockerfile
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.compose-spec deploy/compose*.yaml
	@$(VENV)/bin/kubernetes-validate --strict --quiet deploy/kubernetes.yaml deploy/kubernetes-bots.yaml

format: setup  ## Format the code and mend what the linter can
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .
	@$(PYTHON) -m deploy.practice_page --format

page: setup  ## Build the practice page again, and print the sizes of its scripts
	@$(PYTHON) -m deploy.practice_page --again

bench: setup  ## Print accuracy and speed tables against targets and peers
	@$(PYTHON) -m tests.bench

planning: setup  ## Simulate fleets, and write the tables and the picture of docs/planning.md again
	@$(PYTHON) -m deploy.planning page

proto: setup  ## Generate the code of proto/ again
	@$(PYTHON) deploy/generate_proto.py

errors: setup  ## Write the tables of docs/errors.md again
	@$(PYTHON) -m deploy.errors_page

golden: setup  ## Write the golden files again; read the difference before committing it
	@$(PYTHON) -m pytest tests/unit --rewrite-golden

gallery: setup  ## Make every picture and sound in docs/ again; look at them before committing
	@VENV=$(VENV) deploy/gallery.sh
	@$(PYTHON) -m deploy.before_after
	@$(PYTHON) docs/images/make_chat.py
	@$(PYTHON) docs/images/make_practice.py
	@$(PYTHON) -m deploy.planning page

sbom: setup  ## Write what is installed, with licences and hashes, into out/sbom/
	@$(PYTHON) -m deploy.sbom out/sbom

clean:  ## Remove what was built; keeps the virtual environment
	@rm -rf out build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
