# Everything a newcomer needs: `make demo`, `make test`. A fresh machine has Python 3.11, git, make.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/instruct-imagen
DEMO   ?= demo
TINY   ?= backbone
export HF_HUB_OFFLINE = 1
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1

.PHONY: help venv demo backbone test check bench clean

help:
	@echo "make demo   plant a small web, build both training corpora, end in a report"
	@echo "make backbone  train anew what the preset tiny begins with, from captions alone"
	@echo "make test   the quick tests"
	@echo "make check  what CI runs: ruff, mypy, all tests"
	@echo "make bench  the jobs against plain loops and plain FAISS, side by side"
	@echo "make venv   the environment alone"
	@echo "make clean  remove the demo's output and caches (not .venv)"

venv: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: venv
	rm -rf $(DEMO)
	$(RUN) plant --output $(DEMO)/web --pairs 600 --seed 1 --extras $(DEMO)/sources
	$(RUN) corpus --input '$(DEMO)/web/*.tar' --output $(DEMO)/corpus --models embedded
	$(RUN) neighbours --corpus $(DEMO)/corpus --output $(DEMO)/neighbourhoods
	$(RUN) derive --corpus $(DEMO)/corpus --output $(DEMO)/examples \
	    --art $(DEMO)/sources/paintings --subjects $(DEMO)/sources/subjects \
	    --sketches $(DEMO)/sources/sketches --celeba $(DEMO)/sources/faces \
	    --celeba-hq $(DEMO)/sources/faces-hq --i-have-the-rights
	$(RUN) instruct --examples $(DEMO)/examples --output $(DEMO)/train
	$(RUN) report $(DEMO)/corpus $(DEMO)/neighbourhoods $(DEMO)/examples $(DEMO)/train \
	    --truth $(DEMO)/web/truth.parquet --output $(DEMO)/report.html

# What model/presets/tiny_backbone was made by: worlds of other seeds, and no reference.
backbone: venv
	rm -rf $(TINY)
	$(BIN)/python -m instruct_imagen_data.training.captioned --output $(TINY)/captioned
	$(RUN) train --config tiny --stage 2 --data $(TINY)/captioned --run-dir $(TINY)/run \
	    --train.begin= --total-examples 16000 --train.late-share 0.3 --output.gap-every 0 \
	    --optimizer.learning-rate 2e-3 --optimizer.warmup-examples 800
	$(BIN)/python -m model.ship --run-dir $(TINY)/run --data $(TINY)/captioned

test: venv
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

bench: venv
	$(BIN)/python benchmarks/neighbours.py
	$(BIN)/python benchmarks/corpus.py
	$(BIN)/python benchmarks/control.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/instruct.py

clean:
	rm -rf $(DEMO) $(TINY) .pytest_cache .mypy_cache .ruff_cache .hypothesis
