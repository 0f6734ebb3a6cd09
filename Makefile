# Every target makes the environment that it needs; nothing must be installed but Python and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

UV := $(BIN)/uv

WHEEL_TESTS := $(addprefix tests/test_,$(addsuffix .py,cli docs integrations plots poster report workers))

.PHONY: demo quick test check bench fuzz pictures docs regenerate test-consumers test-learning test-dist test-elsewhere test-lowest test-wheel clean

demo: $(VENV)/installed
	mkdir -p demo
	$(BIN)/df2coco convert fixtures/validation/annos demo/keypoints_validation.json
	$(BIN)/df2coco validate demo/keypoints_validation.json --against fixtures/validation/annos
	@echo "The COCO file is demo/keypoints_validation.json; its images are in fixtures/validation/image. To look at it:"
	@echo "  . $(BIN)/activate"
	@echo "  df2coco report demo/keypoints_validation.json --images fixtures/validation/image --out demo/report.html"

# What a change should not break, in less than a minute: all tests but those marked slow.
quick: $(VENV)/tools
	$(BIN)/python -m pytest -q --numprocesses auto --dist worksteal -m "not slow"

# One process for each core; the last lines list what was skipped, and why.
test: $(VENV)/tools
	@echo "The tests take 5 to 7 minutes on 2 cores, less on more."
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -r fEs \
	  --cov --cov-report term:skip-covered --cov-fail-under 96

check: $(VENV)/tools
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github

# About ten minutes, on a quiet machine; BENCH=--full adds a split of train's size and 100,000 results.
bench: $(VENV)/tools
	$(PIP) "faster-coco-eval>=1.6" panlabel
	$(BIN)/python -m tests.tools.benchmark $(BENCH)

fuzz: $(VENV)/tools
	$(BIN)/python -m tests.tools.fuzz --annotations 50000 --coco 5000 --headers 50000 --archives 20000

pictures: $(VENV)/tools
	$(BIN)/python -m tests.tools.make_pictures

# What follows from the code, anew: the fixtures with their messages, the tables and the outputs in README and docs.
regenerate: $(VENV)/docs
	$(BIN)/python -m tests.tools.make_malformed
	$(BIN)/python -m tests.tools.make_findings
	$(BIN)/python -m tests.source_trees > tests/source_trees.txt
	$(BIN)/python -m tests.tools.write_docs

# The site, into build/site, where a broken link is an error; then the tests of what a browser gets of it, and the notebook's.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --config-file .mkdocs.yml --site-dir build/site
	SITE=build/site $(BIN)/python -m pytest -q tests/test_site.py

# The real Detectron2, MMDetection and MMPose (1.6 GB), then Ultralytics, transformers and RF-DETR (2 GB), each
# group in an environment of its own.
test-consumers:
	bash tests/consumers/make_env.sh .venv-consumers
	.venv-consumers/bin/python -m pytest tests/consumers -o addopts="--import-mode=importlib"
	bash tests/trainers/make_env.sh .venv-trainers
	.venv-trainers/bin/python -m pytest tests/trainers -o addopts="--import-mode=importlib"

# Models that learn a handful of drawn photos by heart, scored by df2coco evaluate: about 10 minutes, without weights.
test-learning:
	bash tests/trainers/make_env.sh .venv-trainers
	.venv-trainers/bin/python -m pytest tests/trainers/learning.py -o addopts="--import-mode=importlib"

# The lowest versions that pyproject.toml admits. LOWEST_TESTS chooses among the tests.
test-lowest: $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) .venv-lowest
	$(UV) pip install --quiet --python .venv-lowest --resolution lowest-direct -e '.[all,test]'
	.venv-lowest/bin/python -m pytest --numprocesses auto --dist worksteal $(LOWEST_TESTS)

# The quick tests as another user, in a path with blanks, in the C locale, in random order.
test-elsewhere: $(UV)
	PYTHON=$(PYTHON) bash .ci/elsewhere

# The wheel, with the source tree out of reach: the tests of what is read from the package's own files.
test-wheel: $(UV)
	rm -rf build/wheel && mkdir -p build/wheel
	$(UV) build --quiet --wheel --out-dir build/wheel .
	$(UV) venv --quiet --clear --python $(PYTHON) build/wheel/venv
	$(UV) pip install --quiet --python build/wheel/venv "$$(ls build/wheel/*.whl)[all,test]"
	elsewhere=$$(mktemp -d) && cp -R tests fixtures docs README.md CHANGELOG.md LICENSE pyproject.toml "$$elsewhere" && \
	python="$$PWD/build/wheel/venv/bin/python" && cd "$$elsewhere" && \
	"$$python" -m pytest -q --numprocesses auto --dist worksteal $(WHEEL_TESTS); \
	status=$$?; rm -rf "$$elsewhere"; exit $$status

# What is published: sdist and wheel as PyPI wants them, each installed alone and tried.
test-dist: $(UV)
	rm -rf dist && $(UV) build --quiet --out-dir dist .
	$(UV) tool run --quiet twine check --strict dist/*
	for file in dist/*.whl dist/*.tar.gz; do \
	  $(UV) venv --quiet --clear --python $(PYTHON) build/dist-venv && \
	  $(UV) pip install --quiet --python build/dist-venv "$$file" && \
	  build/dist-venv/bin/df2coco convert fixtures/validation build/dist.json --quiet && \
	  build/dist-venv/bin/df2coco validate build/dist.json >/dev/null && echo "$$file works" || exit 1; \
	done

clean:
	rm -rf .venv .venv-consumers .venv-trainers .venv-lowest build dist demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# Makes environments in seconds; what it has fetched for one it links into the next.
$(UV): $(VENV)/bin/python
	$(PIP) uv
	touch $@

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable '.[all]'
	touch $@

$(VENV)/docs: $(VENV)/tools pyproject.toml
	$(PIP) --editable '.[docs]'
	touch $@

$(VENV)/tools: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable '.[all,test,check]'
	touch $@ $(VENV)/installed
