# make demo    every numbered script at a small scale; ends with the tables and figures to open
# make test    the tests
# make cars    render the shipped sample of cars anew, with Blender in an environment of its own
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
RENDER_VENV ?= .venv-render
SETTINGS ?= settings/demo.yaml
RUN = $(VENV)/bin/python

.PHONY: demo test cars

demo: $(VENV)/installed
	$(RUN) reality_check/1_check_inputs.py --settings $(SETTINGS)
	$(RUN) reality_check/2_train_models.py --settings $(SETTINGS)
	$(RUN) saliency/1_compute_maps.py --settings $(SETTINGS)
	$(RUN) saliency/2_compare_maps.py --settings $(SETTINGS)
	$(RUN) saliency/3_make_tables.py --settings $(SETTINGS)
	$(RUN) saliency/4_plot_maps.py --settings $(SETTINGS)
	$(RUN) properties/2_embed_cars.py --settings $(SETTINGS)
	$(RUN) properties/3_score_properties.py --settings $(SETTINGS)
	$(RUN) properties/4_make_tables.py --settings $(SETTINGS)
	$(RUN) properties/5_plot_embeddings.py --settings $(SETTINGS)
	$(RUN) report/1_list_results.py --settings $(SETTINGS)

test: $(VENV)/installed
	$(RUN) -m pytest -q tests

cars: $(RENDER_VENV)/installed
	$(RENDER_VENV)/bin/python properties/1_render_cars.py --output data/sample_cars --frames 1-600 --format jpg

$(VENV)/installed: requirements.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	touch $@

$(RENDER_VENV)/installed: requirements-render.txt
	$(PYTHON) -m venv $(RENDER_VENV)
	$(RENDER_VENV)/bin/python -m pip install --quiet --requirement requirements-render.txt
	touch $@
