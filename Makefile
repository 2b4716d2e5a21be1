# make demo         every numbered script at a small scale; ends with the tables and figures to open
# make replication  the small-scale replication of docs/analysis_plan.md, from rendering to its verdicts: a day; goes on where it was stopped
# make test         the tests that take seconds each
# make test-slow    tests of minutes: several processes, kills, a browser, and Blender where `make render-env` was run
# make test-slurm   the demo's work as job arrays on a real Slurm, installed and started here: Debian or Ubuntu, as root
# make docs         the documentation as a site: site/index.html; its search needs `python -m http.server -d site`
# make lint         style, format, types, undeclared dependencies; `make format` fixes what a program can
# make cars         render the samples of cars, or their missing frames, with Blender in an environment of its own
# make check-cars   render one property at a time, and check that each changes what it should
# make bench        the long parts beside other ways to do the same, timed; half an hour in which nothing else should run
# make peers        what the benchmarks compare with
# make render-env   that environment of the renderer alone; says which packages of the system Blender lacks
# Any Python from 3.11 for which torch and numba have wheels. Blender's environment needs 3.11 itself.
PYTHON ?= python3
RENDER_PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RENDER_VENV ?= .venv-render
SETTINGS ?= settings/demo.yaml
RUN = $(VENV)/bin/python
# Workers share the cores, so each of them has one thread.
PYTEST = OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --maxprocesses 4 --dist loadfile -o tmp_path_retention_policy=failed
# With a +: what it makes no other reads, but later ones with a + and those after `wait` (dml_analysis/pipeline.py).
DEMO = reality_check/1_check_inputs.py reality_check/2_train_models.py reality_check/3_evaluate_models.py \
	reality_check/4_measure_gains.py reality_check/5_plot_training.py+ \
	saliency/1_compute_maps.py saliency/2_compare_maps.py saliency/3_make_tables.py+ saliency/4_plot_maps.py+ \
	properties/2_embed_cars.py properties/3_score_properties.py properties/4_make_tables.py+ \
	properties/5_plot_embeddings.py properties/6_probe_features.py \
	reality_check/6_compare_choices.py \
	embedding_space/1_measure_spaces.py embedding_space/2_correlate_measures.py+ embedding_space/3_plot_spaces.py+ \
	embedding_space/4_run_toy.py+ \
	causes/1_locate_maps.py causes/2_shift_embeddings.py causes/3_explain_errors.py causes/4_explain_pairs.py \
	causes/5_randomise_weights.py causes/6_plot_causes.py+ \
	controls/1_bound_maps.py controls/2_bound_scores.py controls/3_test_groups.py controls/4_compare_groupings.py \
	controls/5_vary_maps.py controls/6_make_tables.py controls/7_plot_controls.py+ \
	wait report/1_list_results.py report/2_make_report.py

.PHONY: demo replication replication-images test test-slow test-slurm docs lint format cars check-cars bench peers render-env

demo: $(VENV)/installed
	$(RUN) -m dml_analysis.pipeline $(DEMO) -- --settings $(SETTINGS)

# Every step does what is missing, and any of them may be stopped. Several of these commands may run at once.
replication: $(VENV)/installed replication-images
	$(RUN) reality_check/2_train_models.py --settings settings/replication_rates.yaml
	$(RUN) replication/1_choose_rates.py --settings settings/replication_rates.yaml
	for part in _same_rate "" _reached; do set -e; settings=settings/replication$$part.yaml; \
		$(RUN) reality_check/2_train_models.py --settings $$settings; \
		$(RUN) reality_check/3_evaluate_models.py --settings $$settings; \
		$(RUN) reality_check/4_measure_gains.py --settings $$settings; \
		$(RUN) properties/2_embed_cars.py --settings $$settings; \
		$(RUN) properties/3_score_properties.py --settings $$settings; \
		$(RUN) replication/2_compute_maps.py --settings $$settings; \
	done
	for part in _unseen _reached_unseen; do set -e; settings=settings/replication$$part.yaml; \
		$(RUN) properties/2_embed_cars.py --settings $$settings; \
		$(RUN) properties/3_score_properties.py --settings $$settings; \
		$(RUN) replication/3_collect_trainings.py --settings $$settings --only-properties; \
	done
	$(RUN) embedding_space/1_measure_spaces.py --settings settings/replication.yaml
	for part in _same_rate "" _reached; do set -e; \
		$(RUN) replication/3_collect_trainings.py --settings settings/replication$$part.yaml; \
	done
	$(RUN) replication/4_probe_networks.py --settings settings/replication.yaml
	$(RUN) reality_check/2_train_models.py --settings settings/replication_rho.yaml
	$(RUN) embedding_space/1_measure_spaces.py --settings settings/replication_rho.yaml
	$(RUN) embedding_space/5_compare_factors.py --settings settings/replication_rho.yaml
	$(RUN) replication/5_test_questions.py
	$(RUN) replication/6_plot_results.py
	$(RUN) -m dml_analysis.pipeline $(DEMO) -- --settings settings/replication.yaml --variant base/seed0
	$(RUN) replication/7_write_results.py

replication-images: $(RENDER_VENV)/installed
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/replication_classes --frames 1-4608 --format jpg \
		--car-models procedural:192
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/replication_unseen --frames 1-1500 --format jpg \
		--car-models procedural:24 --seed 1
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/replication_cars --frames 1-3000 --format jpg
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/replication_counterfactuals --counterfactuals 200 --format jpg

test: $(VENV)/installed-for-tests
	$(PYTEST) -m "not slow" tests

test-slow: $(VENV)/installed-for-tests
	RENDER_VENV=$(RENDER_VENV) $(PYTEST) -m slow tests
	$(RUN) tests/kill_runs.py 5

test-slurm: $(VENV)/installed-for-tests
	$(RUN) tests/slurm/run.py

# Not --quiet: what it hides does not count as a warning.
docs: $(VENV)/installed-for-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

lint: $(VENV)/installed-for-tests
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m deptry . --config deptry.toml
	$(RUN) -m mypy

format: $(VENV)/installed-for-tests
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

cars: $(RENDER_VENV)/installed
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/sample_cars --frames 1-600 --format jpg
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/sample_synthetic_cars --frames 1-768 --format jpg \
		--car-models procedural:48
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/sample_counterfactuals --counterfactuals 20 --format jpg

check-cars: $(VENV)/installed $(RENDER_VENV)/installed
	$(RENDER_VENV)/bin/python data/2_render_cars.py --output data/car_variations --variations
	$(RUN) data/3_check_renderer.py --folder data/car_variations

bench: peers
	$(RUN) benchmarks/1_run_benchmarks.py

render-env: $(RENDER_VENV)/installed
	$(RENDER_VENV)/bin/python -m dml_analysis.renderer.libraries

$(VENV)/installed: requirements.txt constraints.txt pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed tests/requirements.txt
	$(RUN) -m pip install --quiet --requirement tests/requirements.txt --constraint constraints.txt
	touch $@

$(VENV)/installed-for-docs: $(VENV)/installed docs/requirements.txt
	$(RUN) -m pip install --quiet --requirement docs/requirements.txt --constraint constraints.txt
	touch $@

peers: $(VENV)/installed-peers

$(VENV)/installed-peers: $(VENV)/installed benchmarks/requirements.txt
	$(RUN) -m pip install --quiet --requirement benchmarks/requirements.txt --constraint constraints.txt
	touch $@

$(RENDER_VENV)/installed: requirements-render.txt
	$(RENDER_PYTHON) -m venv $(RENDER_VENV)
	$(RENDER_VENV)/bin/python -m pip install --quiet --requirement requirements-render.txt
	touch $@
