# PORT and VAR (the folder of all data) may be set: make play PORT=8001 VAR=/srv/birdorbot
PORT ?= 8000
VAR ?= var
export PORT VAR PYTHON
ARGS ?=

.PHONY: play test bench lint
.SILENT:

play:
	sh requirements/install.sh play
	exec .venv/bin/python -m game.embedded.supervise

test:
	sh requirements/install.sh all
	.venv/bin/python -m tests.chromium
	.venv/bin/python -m pytest -n 3 $(ARGS)

bench:
	sh requirements/install.sh all
	.venv/bin/python -m bench $(ARGS)

lint:
	sh requirements/install.sh all
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy .
	.venv/bin/python -m pytest -q tests/test_imports.py
