#!/usr/bin/env bash
# Builds the container image with docker, or with podman or buildah where no docker engine runs:
#   deploy/image/build.sh cpu|gpu [IMAGE]
# Environment:
#   BASE_IMAGE     another base image, Debian or Ubuntu with Python >= 3.11
#   TENSORRT=true  puts TensorRT into the gpu image
#   ENGINE         docker, podman or buildah
#   PYTHON         a Python with bentoml
#   BUILD_OPTIONS  more options of the engine's `build`
#   SBOM           the file for the bill of materials, build/sbom-VARIANT.json by default
# `make base-images` writes the current digests of the base images into this script.
set -euo pipefail
cd "$(dirname "$0")/../.."

variant=${1:-}
case $variant in
  cpu) base=${BASE_IMAGE:-python:3.12.14-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254} ;;
  # CUDA 13, cuDNN 9, Python 3.12
  gpu) base=${BASE_IMAGE:-nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04@sha256:14d94b039cb94bbd5da559f303b46bc4b0d5d6c24ab1a9d7b186e566ed3400dc} ;;
  *) echo "expected cpu or gpu, got '$variant': deploy/image/build.sh cpu|gpu [IMAGE]" >&2; exit 2 ;;
esac
image=${2:-semsim:$variant}

for python in "${PYTHON:-}" .venv/serve/bin/python .venv/dev/bin/python python3; do
  if [ -n "$python" ] && "$python" -c 'import bentoml' 2>/dev/null; then break; fi
  python=
done
[ -n "$python" ] || { echo "expected a Python with bentoml, got none: set PYTHON, or run make serve once" >&2; exit 2; }

engine=${ENGINE:-}
if [ -z "$engine" ]; then
  if docker info >/dev/null 2>&1; then engine=docker
  elif command -v podman >/dev/null; then engine=podman
  elif command -v buildah >/dev/null; then engine=buildah
  else echo "expected a docker engine, podman or buildah, got none" >&2; exit 2
  fi
fi

# The bento goes into a store that is removed at the end.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export BENTOML_HOME=$home BENTOML_DO_NOT_TRACK=true
tag=$("$python" -m bentoml build --output tag)
tag=${tag#__tag__:}
bento=$home/bentos/${tag/://}
# `bentoml containerize` with a template builds only where its temporary files lie below the current folder.
# shellcheck disable=SC2086  # BUILD_OPTIONS are several words
"$engine" build --file "$bento/env/docker/Dockerfile" --tag "$image" --build-arg "BASE_IMAGE=$base" \
  --build-arg "VARIANT=$variant" --build-arg "TENSORRT=${TENSORRT:-false}" ${BUILD_OPTIONS:-} "$bento"

sbom=${SBOM:-build/sbom-$variant.json}
mkdir -p "$(dirname "$sbom")"
if [ "$engine" = buildah ]; then
  container=$(buildah from "$image")
  buildah run "$container" -- python - "$image" "$base" < deploy/image/sbom.py > "$sbom"
  buildah rm "$container" > /dev/null
else
  "$engine" run --rm --interactive --network none --entrypoint python "$image" - "$image" "$base" < deploy/image/sbom.py > "$sbom"
fi
echo "built $image ($variant, on $base, with $engine); its bill of materials is $sbom"
