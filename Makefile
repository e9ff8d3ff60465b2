# One entry point for people and CI. Every target does the set-up it still needs.
#
#   make setup    a virtual environment in .venv, with every tested version pinned
#   make demo     the main job end to end: logo -> training -> pictures -> scorecard -> demo/index.html
#   make serve    the studio, and pictures and trainings over HTTP, on 127.0.0.1:7860; the first start prints a key
#   make studio   builds the studio from web/ into the package; needs Node 20.19 or newer, which nothing else does
#   make test     everything: check, then the test suite, on up to four cores
#   make check    format, lint, types, and who imports whom
#   make format   rewrites the code as `check` wants it
#   make fuzz     100,000 randomly damaged seal files through the reader, ten minutes at most
#   make bench    this machine's speed beside stock diffusers', how soon a training is there, and by what: half
#                 an hour; TRAINING=--quick leaves the ingredients out, ten minutes
#   make soak     2,000 requests of many tenants through the engine beside `generate`, seals coming and going; its
#                 memory, fairness and cold seals: 90 minutes at most; SOAK="--tiny --minutes 15" for some of it
#   make bench-engine  our engine beside stock diffusers' ways to serve many seals: hours; ENGINE=--quick draws one
#                 workload, three minutes
#   make kill-workers  kills workers at work, more than 50 times: each training ends once, with the same seal
#   make bench-serve  the service under load: its pace beside the engine alone, 1,000 listeners, memory, isolation of
#                 tenants: half an hour; SERVE=--quick takes four minutes
#   make world-*  how the embedded base was made (hours), in this order: glyphs, autoencoder, denoiser, decoder,
#                 judge, base (puts what was trained into the package), evaluate; CONFIG=cpu or CONFIG=cuda;
#                 ablation: what keeps seals from leaking; pairs: two seals in one picture; both as tables

PYTHON ?= python3
CONFIG ?= cpu
TRAINING ?=
SOAK ?=
ENGINE ?=
SERVE ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

# OpenMP's idle threads keep a core for 300,000 turns before they sleep. Beside other work that made a pass of the U-Net
# take three times as long, beside a busy process eighteen times; a thousand turns cost nothing in either.
AMONG_OTHERS := env GOMP_SPINCOUNT=1000

# A training of the base runs for hours beside other work: lowest priority, and idle threads sleep.
PATIENTLY := nice -n 19 env OMP_WAIT_POLICY=passive

.DEFAULT_GOAL := help
.PHONY: help setup demo serve studio test check format fuzz bench bench-engine bench-serve kill-workers soak
.PHONY: world-glyphs world-heldout world-autoencoder world-decoder world-denoiser world-judge world-base world-evaluate
.PHONY: world-ablation world-pairs

help:
	@sed -n 's/^#   //p' Makefile

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "error: Python 3.11 or newer is needed, this is %s\nhint: make PYTHON=/path/to/python3.11 ..." % sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install torch==2.13.0
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev]'
	touch $(READY)

setup: $(READY)

demo: $(READY)
	$(BIN)/sealsmith demo

serve: $(READY)
	$(BIN)/sealsmith serve --open

studio:
	cd web && npm install --no-save --no-audit --no-fund && npm run build

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/server/fresh_studio.py
	@if test -x web/node_modules/.bin/tsc; then cd web && npm run check; \
	else echo "skipped: the studio's types, which need Node and \`make studio\`"; fi

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Files keep their order: the studio's tests leave a browser's event loop open, beside which others cannot run their own.
test: check
	$(AMONG_OTHERS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile \
	  --no-loadscope-reorder --durations=15

fuzz: $(READY)
	$(BIN)/python tests/adapters/fuzz.py --runs 100000 --seconds 600

bench: $(READY)
	$(BIN)/sealsmith bench speed --demo --out bench.json
	$(BIN)/sealsmith bench training $(TRAINING) --out bench-training.json --plot bench-training.png

soak: $(READY)
	$(BIN)/sealsmith bench soak $(SOAK) --out soak.json

bench-engine: $(READY)
	$(BIN)/sealsmith bench engine $(ENGINE) --out bench-engine.json --plot bench-engine.png

kill-workers: $(READY)
	KILLS=52 $(AMONG_OTHERS) $(BIN)/python -m pytest tests/jobs/test_training_job.py -k killed --timeout 7200

bench-serve: $(READY)
	$(BIN)/sealsmith bench serve $(SERVE) --out bench-serve.json

world-glyphs: $(READY)
	$(BIN)/python -c 'from world import glyphs; print(len(glyphs.masks()), "glyphs in", glyphs.RUNS)'

world-heldout: world-glyphs
	$(BIN)/python -c 'from world import glyphs; glyphs.write_heldout()'

world-autoencoder world-denoiser world-judge: world-%: world-glyphs
	$(PATIENTLY) $(BIN)/python -m world.$* --config $(CONFIG)

world-decoder: world-glyphs
	$(PATIENTLY) $(BIN)/python -m world.autoencoder --config $(CONFIG) --decoder

world-base: $(READY)
	$(BIN)/python -m world.assemble --config $(CONFIG)
	$(BIN)/python -m world.judge --config $(CONFIG) --export

world-evaluate: $(READY)
	$(BIN)/python -m world.evaluate --captions 200 --pairs 32 --sheet docs/images/sealworld.jpg

world-ablation world-pairs: world-%: world-glyphs
	$(BIN)/python -m world.$* --jobs 2
