# Everything a fresh machine needs is Python 3.11 or 3.12, make and the package registries.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
UV ?= $(shell command -v uv)
BIN = .venv/bin
WORDS = $(if $(TASK),--task $(TASK)) $(if $(PROFILE),--profile $(PROFILE)) $(if $(RUN),--run $(RUN)) $(if $(SET),--set $(SET))
export PYTHONUNBUFFERED = 1

.PHONY: run test lab serve viewer hub mlflow reliability lock check clean

run: .venv/ready              ## the four notebooks by papermill
	$(BIN)/python -m lib run all $(WORDS)

test: .venv/ready             ## every test, in two processes
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -n 2 --dist loadscope $(ARGS)

lab: .venv/ready              ## JupyterLab
	$(BIN)/jupyter lab notebooks

serve: .venv/ready            ## the API, with the newest good model
	$(BIN)/python -m lib serve $(WORDS)

viewer: .venv/ready           ## the viewer of a run's answers as an app; REVIEWER=name, or READ_ONLY=1
	$(BIN)/python -m lib.viewer $(WORDS) $(if $(REVIEWER),--reviewer "$(REVIEWER)") $(if $(READ_ONLY),--read-only)

hub: .venv/ready              ## the image hub's page in a browser; python -m lib hub work, beside it, verifies and trains
	$(BIN)/python -m lib hub migrate $(if $(SET),--set $(SET))
	$(BIN)/python -m lib hub page $(if $(SET),--set $(SET))

mlflow: .venv/ready           ## the tracker's page
	$(BIN)/python -m lib tracker $(WORDS)

reliability: .venv/ready      ## what is promised of failures; PART=corpus|faults|fuzz|attacks|clients|load|swaps|memory|secrets|settings
	$(BIN)/python -m benchmarks.reliability $(PART) $(ARGS)

lock:                         ## the lock anew, from pyproject.toml
	uv pip compile pyproject.toml --extra cpu --extra train --extra cloud --extra dask --extra notebooks --extra dev \
		--python-version 3.11 --no-header --upgrade -o requirements.lock
	uv pip compile pyproject.toml -c requirements.lock --python-version 3.11 --no-header --no-annotate \
		--generate-hashes -o docker/api/requirements.lock

# uv installs in half a minute what takes pip five; where it is not there, pip brings it into .venv-uv.
.venv/ready: requirements.lock pyproject.toml
	@uv="$(UV)"; python="$(PYTHON)"; \
	case "$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" in \
		3.11|3.12) fits=1;; *) fits=;; esac; \
	if [ -z "$$uv" ] && "$$python" -m venv --clear .venv-uv >/dev/null 2>&1 && .venv-uv/bin/python -m pip install -q uv 2>/dev/null; then \
		uv=.venv-uv/bin/uv; \
	fi; \
	if [ -n "$$uv" ] && if [ -n "$$fits" ]; then "$$uv" venv -q --clear --python "$$python" .venv; \
			else "$$uv" venv -q --clear --python 3.11 .venv; fi; then \
		"$$uv" pip install -q --python $(BIN)/python -r requirements.lock && \
		"$$uv" pip install -q --python $(BIN)/python --no-deps -e .; \
	elif [ -n "$$fits" ]; then \
		"$$python" -m venv --clear .venv && $(BIN)/python -m pip install -q -r requirements.lock && \
		$(BIN)/python -m pip install -q --no-deps -e .; \
	else \
		echo "Core Box needs Python 3.11 or 3.12, and $${python:-python3} is another one; install one of them, or name it:" \
			"make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi
	@touch $@

clean:                        ## the environment; data and outputs stay
	rm -rf .venv .venv-uv
