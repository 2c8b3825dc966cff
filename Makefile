# medloop: two commands for newcomers (demo, test), the rest for developers.
#
#   make demo    install into .venv and open a ready project in the browser
#   make test    install the test extras and run every test, the page's too (where Node is)
#   make check   format, lint, types, layers
#   make docs    the documentation as a site, built strictly into build/docs
#   make screenshots  take the documentation's pictures anew, light and dark
#   make page    rebuild the web page (needs Node; the built page is committed)
#   make bench   the quick benchmarks;  make soak  the long ones
#
# A machine without a GPU on which pip would pick a CUDA build of torch:
#   make demo TORCH_INDEX=<the index of CPU wheels that pytorch.org names>

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
HOST ?= 127.0.0.1
PORT ?= 8000
TORCH_INDEX ?=
JOBS ?= 2
ONLY ?=
DATA ?= $(or $(MEDLOOP_DATA),../shared/data)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
export OMP_WAIT_POLICY := PASSIVE
# The tests start hundreds of processes; each would compile all of medloop anew where the system forbids to keep what is compiled.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-again forget-failures page-test check docs screenshots page bench soak clean chromium

demo: $(VENV)/.installed
	$(BIN)/medloop demo --folder $(DEMO) --host $(HOST) --port $(PORT)

# A store waits for the disk at every commit, some thirty times a test. Where this memory has 8 GB to spare and programs may run in it, the tests'
# folders lie there, each until its test has passed; `make test MEMORY=` leaves them on the disk. Their path is short: a socket's has 100 characters.
MEMORY ?= $(shell .ci/spare-memory)
test: $(VENV)/.installed-test $(VENV)/.flower forget-failures chromium page-test
	@root= memory="$(MEMORY)"; if [ -n "$$memory" ]; then root=$$(mktemp -d "$$memory/mXXXX") || exit 1; trap 'rm -rf "$$root"' EXIT; \
	  trap 'exit 1' HUP INT TERM; echo "the tests' folders: $$root"; fi; \
	  OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -o tmp_path_retention_policy=failed $${root:+--basetemp=$$root} $(ONLY)

# The failed tests of the last run once more, one after the other; more than UNSTEADY of them are no chance.
UNSTEADY ?= 10
FAILED := .pytest_cache/v/cache/lastfailed
test-again: $(VENV)/.installed-test
	@test -s $(FAILED) || { echo "no failed test to run once more" >&2; exit 1; }
	@OMP_NUM_THREADS=1 $(BIN)/python -c 'import json, sys, pytest; failed = list(json.load(open("$(FAILED)"))); \
	  sys.exit(pytest.main(["-v", "-p", "no:xdist", *failed]) if 0 < len(failed) <= $(UNSTEADY) else f"{len(failed)} tests failed, more than $(UNSTEADY)")'
	@echo "unsteady: the tests above passed only when they ran alone"

forget-failures:
	@rm -f $(FAILED)

# The page's types and unit tests. Without Node they are left out, in words; with MEDLOOP_NO_SKIP that is a failure.
page-test:
	@if command -v npm >/dev/null; then cd frontend && npm ci --no-audit --no-fund && npm run check && npm test; \
	  elif [ -n "$$MEDLOOP_NO_SKIP" ]; then echo "the page's tests need Node 20" >&2; exit 1; \
	  else echo "no npm: the page's own tests are skipped (install Node 20)"; fi

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-test
	$(BIN)/python -m sphinx -W --keep-going -q -c docs . build/docs
	@echo "the site begins at build/docs/index.html"

screenshots: $(VENV)/.installed-test chromium
	$(BIN)/python docs/screenshots.py

page:
	cd frontend && npm ci --no-audit --no-fund && npm test && npm run build

bench: $(VENV)/.installed-test chromium
	$(BIN)/python benchmarks/responsiveness.py
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/large_pool.py

soak: $(VENV)/.installed-test
	$(BIN)/python benchmarks/full_data.py --data $(DATA)/hippocampus --seeds 3
	$(BIN)/python benchmarks/simulate_hippocampus.py --data $(DATA)/hippocampus --seeds 3 --steps 200 --out runs/hippocampus
	$(BIN)/python benchmarks/label_efficiency.py --data $(DATA) --datasets hippocampus,hc18_ultrasound --out runs/labels
	$(BIN)/python benchmarks/clicks.py --data $(DATA)/hippocampus --seeds 3 --work runs/clicks
	$(BIN)/python benchmarks/quality.py --data $(DATA)/hippocampus --seeds 3 --work runs/quality
	$(BIN)/python benchmarks/measurement.py --data $(DATA)/hc18_ultrasound --seeds 3 --work runs/measurement
	$(BIN)/python benchmarks/review.py --data $(DATA)/hippocampus --seeds 3
	$(BIN)/python benchmarks/expert_minutes.py --data $(DATA)/hippocampus --seeds 3 --work runs/minutes

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "medloop needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	@echo "installing medloop into $(VENV) (some minutes the first time)"
	$(PIP) -c constraints-cpu.txt -e ".[dicom]"
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints-cpu.txt | $(VENV)/bin/python
	@echo "installing medloop and its test tools into $(VENV) (some minutes the first time)"
	$(PIP) -c constraints-cpu.txt -e ".[test]"
	@rm -rf $(VENV)/peers  # --upgrade would replace the package by its data of the same name
	$(PIP) --no-deps --target $(VENV)/peers monailabel==0.8.5  # its client is tested against; it brings a package "tests", so it lies apart
	@touch $@ $(VENV)/.installed

# Flower pins versions of what medloop uses, too: it has an environment of its own, which sees the libraries of the other one after its own.
$(VENV)/.flower: pyproject.toml | $(VENV)/.installed-test
	@rm -rf $(VENV)/flower
	$(PYTHON) -m venv $(VENV)/flower
	$(VENV)/flower/bin/python -m pip install --quiet --disable-pip-version-check 'flwr>=1.42,<2'
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' \
	  > "$$($(VENV)/flower/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/medloop-libraries.pth"
	@touch $@

# The browser tests drive a real Chromium. As root on Debian or Ubuntu it is installed; elsewhere its tests skip and say so.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	  else echo "no chromium: browser tests will be skipped (install the package 'chromium')"; fi; }
