# Every target makes what it needs from a Python >= 3.11 with venv and pip. Nothing outside this folder is touched.
PYTHON ?= python3
PORT ?= 3000
HOST ?= 127.0.0.1
UV_VERSION := 0.13.9
# Two processes, each with one file after another; one of them runs all tests of the shared services (tests/conftest.py).
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
# Real images and weights, for the tests that need them (they skip without), `make model` and `make baseline`.
SEMSIM_DATA ?= $(abspath ../shared/data)
export SEMSIM_DATA
# Where this is set, each process compiles torch, timm and the like anew: half of the time of their imports.
unexport PYTHONDONTWRITEBYTECODE

SERVE := .venv/serve
DEV := .venv/dev

.PHONY: serve test test-fast test-flower lint format bench bench-quick serving-profile scale endurance attacks attacks-picture presets batch-statistics generative dataset faithfulness model baseline image base-images try-image openapi protos requirements examples picture docs clean

serve: $(SERVE)/.done ## the service with the bundled model
	$(SERVE)/bin/semsim serve --host $(HOST) --port $(PORT)

test: $(DEV)/.done
	$(DEV)/bin/python -m pytest $(PYTEST_ARGS)

test-fast: $(DEV)/.done ## the tests that start no service and train nothing, for the inner loop: under 90 s
	$(DEV)/bin/python -m pytest $(PYTEST_ARGS) -m "not slow"

test-flower: .venv/flower/.done ## the tests with Flower, one of the tests of `make test`: a real `flwr run` among them
	.venv/flower/bin/python -m pytest --confcutdir tests/federation/flower tests/federation/flower

lint: $(DEV)/.done
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

format: $(DEV)/.done
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

bench: $(DEV)/.done ## speed and memory, as ratios against a named peer in the same run: 40 minutes
	failed=0; for part in scoring attacks serving goals; do \
		$(DEV)/bin/python -m benchmarks.$$part $(BENCH_ARGS) || failed=1; \
	done; exit $$failed

bench-quick: $(DEV)/.done ## two minutes of the service's benchmark and of the goals: shows that they run, their figures mean little
	$(DEV)/bin/python -m benchmarks.serving --quick
	$(DEV)/bin/python -m benchmarks.goals --quick

serving-profile: $(DEV)/.done ## where the service's CPU goes, in docs/performance.md
	$(DEV)/bin/python -m benchmarks.serving.breakdown --write docs/performance.md --picture docs/serving-profile.png

scale: $(DEV)/.done ## the cost of 10^8 pairs, in docs/scale.md: five minutes
	$(DEV)/bin/python -m semsim_training.scale_report datasets/cifar10 --write docs/scale.md

endurance: $(DEV)/.done ## soak, overload, malformed input, attacks by volume, whatever one finds: an hour, written into docs/endurance.md
	failed=0; \
	$(DEV)/bin/python -m benchmarks.soak --minutes 15 --write docs/endurance.md || failed=1; \
	$(DEV)/bin/python -m benchmarks.overload --write docs/endurance.md || failed=1; \
	$(DEV)/bin/python -m benchmarks.malformed --inputs 100000 --write docs/endurance.md || failed=1; \
	$(DEV)/bin/python -m pytest tests/service/test_hostile_pictures.py tests/service/http/test_bounded_connection.py \
		tests/service/http/test_patience.py tests/service/grpc_transport/test_attacks.py || failed=1; \
	exit $$failed

# `semsim attack grid` ends with 4 where some attacks found nothing, which a table of attacks shows, too.
attacks: $(DEV)/.done ## the tables of docs/attacks.md; a picture with originals in build/
	$(DEV)/bin/semsim attack grid configs/attacks/presets.yaml build/presets || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack table build/presets --write docs/attacks.md
	$(DEV)/bin/semsim attack gallery build/presets --align --out build/presets.png
	$(DEV)/bin/python -m benchmarks.labels --write docs/attacks.md
	$(DEV)/bin/python -m benchmarks.local_training --write docs/attacks.md
	$(DEV)/bin/python -m benchmarks.networks --write docs/attacks.md

attacks-picture: $(DEV)/.done ## docs/attacks.png, of photographs that everybody may use: a minute or two
	rm -rf build/photographs build/picture
	$(DEV)/bin/python training/runs/photographs.py build/photographs --count 2
	$(DEV)/bin/semsim attack grid configs/attacks/picture.yaml build/picture || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack gallery build/picture --columns 6 --align --out docs/attacks.png

presets: $(DEV)/.done ## each preset beside a loop written after its source, in docs/attacks.md: a quarter of an hour
	$(DEV)/bin/python -m benchmarks.presets --write docs/attacks.md

batch-statistics: $(DEV)/.done ## what sent batch statistics add, in docs/attacks.md: a quarter of an hour
	$(DEV)/bin/semsim attack grid configs/attacks/batch-statistics.yaml build/batch-statistics || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack compare build/batch-statistics --lpips $(SEMSIM_DATA)/../weights/lpips_alexnet.safetensors \
		--mark batch-statistics --write docs/attacks.md
	$(DEV)/bin/semsim attack gallery build/batch-statistics --out build/batch-statistics.png

generative: $(DEV)/.done ## generative priors and LOKI, in docs/attacks.md: three quarters of an hour
	$(DEV)/bin/semsim attack train-generator configs/generators/cifar10.yaml build/generators/cifar10.safetensors
	$(DEV)/bin/semsim attack grid configs/attacks/generative.yaml build/generative || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack compare build/generative --lpips $(SEMSIM_DATA)/../weights/lpips_alexnet.safetensors \
		--mark generative --write docs/attacks.md
	$(DEV)/bin/semsim attack gallery build/generative --align --out build/generative.png
	$(DEV)/bin/semsim attack grid configs/attacks/generative-batches.yaml build/generative-batches || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack compare build/generative-batches --lpips $(SEMSIM_DATA)/../weights/lpips_alexnet.safetensors \
		--mark generative-batches --write docs/attacks.md
	$(DEV)/bin/semsim attack grid configs/attacks/loki.yaml build/loki || [ $$? -eq 4 ]
	$(DEV)/bin/semsim attack table build/loki --mark loki --write docs/attacks.md

dataset: $(DEV)/.done ## datasets/, from the committed victims: hours, and a day for the trained ones, unless it is there
	for set in cifar10 cifar10-many caltech101 caltech101-many; do \
		$(DEV)/bin/semsim attack grid configs/attacks/$$set.yaml datasets/$$set || [ $$? -eq 4 ] || exit 1; done
	SEMSIM=$(DEV)/bin/semsim training/runs/sets.sh

faithfulness: $(DEV)/.done ## docs/faithfulness.md and its report, from the paper's human study
	$(DEV)/bin/semsim faithfulness judgements $(SEMSIM_DATA)/human_study/cifar100_resnet20.csv --kind person \
		--name human-study --out docs/faithfulness/human-study --write docs/faithfulness.md \
		--source "Judgements and metric values: github.com/gparrella12/SemSim (Apache-2.0), of the study of Sun et al., NeurIPS 2023."

model: $(DEV)/.done ## the bundled artifact, from datasets/ to model card
	SEMSIM=$(DEV)/bin/semsim PYTHON=$(DEV)/bin/python training/runs/reproduce.sh build/default

baseline: $(DEV)/.done ## models/imagenet-baseline, from the ImageNet weights
	$(DEV)/bin/semsim export $(SEMSIM_DATA)/../weights/tf_efficientnet_lite0.safetensors models/imagenet-baseline \
		--description models/descriptions/imagenet-baseline.json --images $(SEMSIM_DATA)/caltech101

base-images: ## write today's digests of the base images and of Compose's images into the files that name them
	deploy/image/pin.sh

image: $(SERVE)/.done ## the container image, and its bill of materials in build/; VARIANT=cpu|gpu; needs docker, podman or buildah
	PYTHON=$(SERVE)/bin/python deploy/image/build.sh $(or $(VARIANT),cpu)

try-image: $(DEV)/.done ## build the CPU image on a Debian made here and score with it: minutes, root, buildah, debootstrap
	PYTHON=$(DEV)/bin/python deploy/image/try.sh

openapi: $(DEV)/.done ## docs/openapi.json, from the schemas
	$(DEV)/bin/python -m semsim_service.http.openapi > docs/openapi.json

protos: $(DEV)/.done ## semsim/protos/*_pb2*, from the .proto files; then lint them
	$(DEV)/bin/python -m semsim.protos.generate_stubs
	$(DEV)/bin/buf lint semsim/protos

examples: $(DEV)/.done ## examples/images: two free photographs, degraded copies, and an attack on one
	$(DEV)/bin/python -m examples.make_images
	$(DEV)/bin/python -m examples.invert_gradient

picture: $(DEV)/.done ## docs/pair.png and docs/benchmarks.png, the pictures of the README
	$(DEV)/bin/python -m examples.draw_pair
	$(DEV)/bin/python -m examples.draw_benchmarks

docs: .venv/docs/.done ## the site of docs/, in build/site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --strict

requirements: $(DEV)/.done ## pin again, with hashes, after a change of pyproject.toml
	$(DEV)/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes \
		pyproject.toml --extra serve --extra bulk -o requirements/serve.txt
	$(DEV)/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes \
		-c requirements/serve.txt pyproject.toml --extra serve --extra bulk --extra train --extra torch --extra annotate --extra ray --extra nvflare --extra bench --extra dev -o requirements/dev.txt
	printf 'pytest\npytest-timeout\n' | $(DEV)/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes \
		pyproject.toml - --extra train --extra flower -o requirements/flower.txt
	printf 'mkdocs-material\nmkdocstrings[python]\nruff\n' | $(DEV)/bin/uv pip compile -q --upgrade --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes \
		- -o requirements/docs.txt

# uv installs in seconds what takes pip minutes, and finds the ordinary torch wheel.
.venv/%/.done: requirements/%.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python >= 3.11, got %d.%d: set PYTHON=" % sys.version_info[:2])'
	$(PYTHON) -m venv --clear .venv/$*
	.venv/$*/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/$*/bin/uv pip install --quiet --python .venv/$*/bin/python -r requirements/$*.txt
	.venv/$*/bin/uv pip install --quiet --python .venv/$*/bin/python --no-deps -e .
	touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
