# make demo · make test: each does all its own set-up on a fresh machine with Python 3.11.
PYTHON ?= python3
BIN := .venv/bin
SHOP_DATA ?= ../shared/data

.PHONY: setup demo demo-retail serve test lint style types imports format models benchmarks

setup:
	@$(PYTHON) requirements/install.py

demo: setup  ## build the sample shop, fine-tune for a minute, serve the graph, print six answers, keep serving
	@$(BIN)/python -m demo

demo-retail: setup  ## the same on the real Online Retail data (SHOP_DATA names its folder)
	@SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m demo.retail

serve: setup  ## serve what `make demo` left in var/
	@$(BIN)/python -m serve.launch serve/config/laptop.yaml

lint: setup  ## style, types and import rules, side by side
	@$(MAKE) --no-print-directory --jobs 3 --output-sync style types imports

style:
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports --no-cache

test: lint  ## everything: what needs no Ray in two processes, then what does, the real graph included
	$(BIN)/pytest -m "not ray" --numprocesses 2 --dist loadfile --durations 25
	$(BIN)/pytest -m ray --durations 25 $$(grep -rlE "mark\.ray" tests | sort)

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

models: setup  ## train every shipped model again, from the project's own data (about an hour on 2 cores)
	$(BIN)/python -m train.tokenizer
	$(BIN)/python -m demo.training_data var/training
	$(BIN)/python -m train.claims
	$(BIN)/python -m train.generator
	$(BIN)/python -m train.sentiment
	$(BIN)/python -m train.persuasion
	$(BIN)/python -m train.response
	$(BIN)/python -m demo.picture_set var/training/pictures
	$(BIN)/python -m train.clip
	$(BIN)/python -m demo.shop var/shop
	$(BIN)/python -m multimodal.picture_vectors var/shop
	$(BIN)/python -m train.recommender

benchmarks: setup  ## every published figure, one after another
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.graph
	$(BIN)/python -m benchmarks.answers
	$(BIN)/python -m benchmarks.claims
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.streaming
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.catalogues
	$(BIN)/python -m benchmarks.scoring
	$(BIN)/python -m benchmarks.choice
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_sentiment zh
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_sentiment en
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_persuasion
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_strategies
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_generator
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_clip
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_response
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_private
	SUASION_DATA=$(SHOP_DATA) $(BIN)/python -m benchmarks.train_augment
	$(BIN)/python -m benchmarks.train_alignment
	$(BIN)/python -m benchmarks.train_kills
	$(BIN)/python -m benchmarks.train_speed
	$(BIN)/python -m benchmarks.train_stream
	$(BIN)/python -m benchmarks.train_muon
	$(BIN)/python -m pip install -q --editable '.[benchmarks]' --no-deps hnswlib implicit
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.recommend
	$(BIN)/python -m benchmarks.index
	$(BIN)/python -m benchmarks.features
	$(BIN)/python -m benchmarks.concerns
	$(BIN)/python -m benchmarks.readme
