# Two lanes, each with an environment of its own in .venv/: tf1 (TensorFlow 1.15 on Python 3.7, the target)
# and tf2 (TensorFlow 2 on the default Python). Without LANE= the first of them that this machine can have.
#
#   make demo            LANE=tf2 make demo            PYTHON=/opt/python3.7/bin/python3 make demo

LANE ?=
PYTHON ?=
export LANE PYTHON

.PHONY: help setup demo test torture check docs clean
.DEFAULT_GOAL := help

help:
	@echo 'make setup   create the environment'
	@echo 'make demo    train on the built-in digits, draw, freeze, convert, run, compare, score (three to five minutes)'
	@echo 'make test    run all tests'
	@echo 'make torture kill a training KILLS=30 times with SIGKILL, and compare it with one that nobody touched'
	@echo 'make check   style and static checks'
	@echo 'make docs    write the command reference in README.md anew'
	@echo 'make clean   remove environments and caches; runs/ stays'
	@echo 'each with LANE=tf1 or LANE=tf2, and PYTHON= for another interpreter'

setup:
	@$(ensure) && $(say_how)

demo:
	@$(ensure) && PATH="$$PWD/$$venv/bin:$$PATH" sh examples/01_digits/run.sh && $(say_how)

test:
	@$(ensure) && $$venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

KILLS ?= 30
TRAIN ?= --lecam 0.3 --lecam-start 20 --augment translation,cutout
torture:
	@$(ensure) && $$venv/bin/python -m tests.torture --kills $(KILLS) -- $(TRAIN)

check:
	@$(ensure) && $$venv/bin/ruff check && $$venv/bin/ruff format --check

docs:
	@$(ensure) && $$venv/bin/python -m biggan_cli.cli.reference README.md

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Shell code that sets $venv to an environment that is complete. A candidate for Python counts only if it runs
# and can make environments: shims and stripped builds do not. PYTHON= is the only candidate where it is given.
runs = "$$candidate" -c 'import ensurepip, ssl, sys; sys.exit(sys.version_info[:2] $(1))' 2>/dev/null

define find_lane
python37() { \
  if [ -n "$$PYTHON" ]; then set -- "$$PYTHON"; \
  else set -- python3.7 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.7.*/bin/python "$$(uv python find 3.7 2>/dev/null)"; fi; \
  for candidate; do if [ -n "$$candidate" ] && $(call runs,!= (3, 7)); then echo "$$candidate"; return 0; fi; done; \
  [ -z "$$PYTHON" ] && uv python install -q 3.7 2>/dev/null && uv python find 3.7; \
}; \
python_new() { candidate=$${PYTHON:-python3}; $(call runs,< (3, 9)) && echo "$$candidate"; }; \
case "$$LANE" in \
  tf1) python=$$(python37) || { echo "error: LANE=tf1 needs Python 3.7 with venv, and $${PYTHON:-python3.7} is none" >&2; \
       echo '  fix: install one, name it with PYTHON=, or take LANE=tf2' >&2; exit 4; } ;; \
  tf2) python=$$(python_new) || { echo "error: LANE=tf2 needs Python 3.9 or later with venv, and $${PYTHON:-python3} is none" >&2; \
       echo '  fix: name one with PYTHON=' >&2; exit 4; } ;; \
  '')  if python=$$(python37); then LANE=tf1; \
       elif python=$$(python_new); then LANE=tf2; \
       [ -n "$$PYTHON" ] || echo "no Python 3.7 here: taking $$python with TensorFlow 2" >&2; \
       else echo "error: $${PYTHON:-python3} is neither Python 3.7 nor 3.9 or later, with venv" >&2; \
       echo '  fix: name one with PYTHON=' >&2; exit 4; fi ;; \
  *)   echo "error: LANE=$$LANE is not tf1 or tf2" >&2; exit 2 ;; \
esac
endef

say_how = echo "$$venv is ready; to have its biggan on PATH: . $$venv/bin/activate"

define ensure
$(find_lane); \
venv=.venv/$$LANE; \
if ! cmp -s pyproject.toml $$venv/installed.toml; then \
  echo "setting up $$venv with $$("$$python" --version) (a minute or two)" >&2; \
  "$$python" -m venv --clear $$venv && \
  $$venv/bin/python -m pip install -q --disable-pip-version-check --upgrade pip && \
  PYTHONWARNINGS=ignore $$venv/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]' && \
  cp pyproject.toml $$venv/installed.toml || exit 4; \
fi
endef
