# make learn   open the course;   make test   prove it;   the first call installs into .venv, the second takes seconds
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)  # in a container, where Jupyter would only warn and stop

NOTEBOOKS = $(wildcard $(if $(NB),$(NB:%=notebooks/%*.ipynb),notebooks/[0-9]*.ipynb))

.PHONY: learn test badges outputs slides site figures handout benchmark mutants stress colab oldest times clean

learn: .venv/learn
	@echo "Opening JupyterLab on notebooks/00_start_here.ipynb; Ctrl-C twice stops it."
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb $(AS_ROOT) $(ARGS)

test: .venv/test
	@echo "Testing: ruff, the unit tests, then every notebook from top to bottom; about 14 minutes on two CPU cores."
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	DDPM_LESSONS_DATA=$${DDPM_LESSONS_DATA:-none} $(BIN)/python -m pytest tests notebooks \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=600 --durations=5 $(ARGS)

badges: .venv/test  # after the address in pyproject.toml has changed
	$(BIN)/python tests/notebooks.py badges

outputs: .venv/test  # run the notebooks in place and store what they show; NB="02 03" for some of them
	$(BIN)/python tests/notebooks.py run $(NB)

slides site figures: $(NOTEBOOKS:notebooks/%=build/executed/%)  # for lecturers, into build/; NB="02 03" for some lessons
	cd notebooks && ../$(BIN)/python -m lectures $@ $(NB)

handout: .venv/learn
	cd notebooks && ../$(BIN)/python -m lectures $@ $(NB)

build/executed/%.ipynb: notebooks/%.ipynb | .venv/learn  # with players and drawings that pages can show
	@echo "Running $<, once"
	@DDPM_LESSONS_EXPORT=1 TQDM_DISABLE=1 DDPM_LESSONS_DATA=$${DDPM_LESSONS_DATA:-none} $(BIN)/jupyter nbconvert \
		--to notebook --execute --ExecutePreprocessor.timeout=600 --ExecutePreprocessor.coalesce_streams=True \
		--log-level=ERROR --output-dir build/executed $<

benchmark: .venv/bench
	$(BIN)/python tests/benchmarks/speed.py $(ARGS)

mutants: .venv/test  # plant small faults and count how many the tests notice
	$(BIN)/python tests/mutants.py $(ARGS)

stress: .venv/test  # kill, cut, fill and flip on purpose: what the user sees, and what was lost; ARGS="--only WORD"
	$(BIN)/python tests/stress.py $(ARGS)

colab oldest: .venv/test  # Colab's versions and the oldest ones; each downloads 3 GB; ARGS="--python python3.12"
	$(BIN)/python tests/environments.py $@ $(ARGS)

times: .venv/test  # how long each notebook takes, against the promise of 90 s each and 15 minutes for all
	$(BIN)/python tests/notebooks.py times $(NB)

clean:
	rm -rf .venv build

.venv/learn: EXTRA := .[lab]
.venv/test: EXTRA := .[lab,test]
.venv/bench: EXTRA := .[lab,test,bench]
.venv/learn .venv/test .venv/bench: pyproject.toml
	@echo "Installing into .venv: 2 to 5 minutes and 6 GB for PyTorch the first time; nothing outside .venv changes."
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || { \
		$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed, this is " \
			+ sys.version.split()[0] + ". Have a newer one? make $(@F) PYTHON=python3.12")' \
		&& { $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
			echo "Python could not make .venv; on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }; }; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e "$(EXTRA)"
	@touch $@
