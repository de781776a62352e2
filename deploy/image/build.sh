#!/usr/bin/env bash
# Build the container image with docker, or with buildah where no docker engine runs:
#   deploy/image/build.sh cpu|gpu [IMAGE]
# Environment: BASE_IMAGE, another base (Debian or Ubuntu, Python >= 3.11); TENSORRT=true, TensorRT in the gpu image;
# BACKEND=docker|buildah|podman; PYTHON, one with bentoml; BUILD_OPTIONS, more of `bentoml containerize`, such as "--opt network=host".
set -euo pipefail
cd "$(dirname "$0")/../.."

variant=${1:-}
case $variant in
  cpu) base=${BASE_IMAGE:-python:3.12-slim-bookworm} ;;
  gpu) base=${BASE_IMAGE:-nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04} ;; # CUDA 13, cuDNN 9, Python 3.12
  *) echo "expected cpu or gpu, got '$variant': deploy/image/build.sh cpu|gpu [IMAGE]" >&2; exit 2 ;;
esac
image=${2:-semsim:$variant}

for python in "${PYTHON:-}" .venv/serve/bin/python .venv/dev/bin/python python3; do
  if [ -n "$python" ] && "$python" -c 'import bentoml' 2>/dev/null; then break; fi
  python=
done
[ -n "$python" ] || { echo "expected a Python with bentoml, got none: set PYTHON, or run make serve once" >&2; exit 2; }

backend=${BACKEND:-}
if [ -z "$backend" ]; then
  if docker info >/dev/null 2>&1; then backend=docker
  elif command -v buildah >/dev/null; then backend=buildah
  else echo "expected a docker engine or buildah, got neither" >&2; exit 2
  fi
fi

# A store of its own: neither the bento nor its usage count stays behind.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export BENTOML_HOME=$home BENTOML_DO_NOT_TRACK=true
bento=$("$python" -m bentoml build --output tag)
# shellcheck disable=SC2086  # BUILD_OPTIONS are several words
"$python" -m bentoml containerize "${bento#__tag__:}" --image-tag "$image" --backend "$backend" \
  --opt "build-arg=BASE_IMAGE=$base" --opt "build-arg=VARIANT=$variant" --opt "build-arg=TENSORRT=${TENSORRT:-false}" \
  ${BUILD_OPTIONS:-}
echo "built $image ($variant, on $base, with $backend)"
