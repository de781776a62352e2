#!/usr/bin/env bash
# Every step of reproduce.sh in two minutes on a CPU, on a few dozen images and networks worth nothing. It shows that all steps run
# and that an artifact comes out that scores. It needs no data set: the images are parts of scikit-image's photographs.
#   training/runs/smoke.sh [OUT]
set -euo pipefail
cd "$(dirname "$0")/../.."
SMOKE=$(realpath -m "${1:-build/smoke}")
export SMOKE OMP_NUM_THREADS=1
SEMSIM=${SEMSIM:-.venv/dev/bin/semsim}
PYTHON=${PYTHON:-.venv/dev/bin/python}
rm -rf "$SMOKE"

step() { printf '\n== %s\n' "$1"; }

step "images: parts of three photographs, half to be attacked and half to learn from"
for half in attacked others; do
    "$PYTHON" training/runs/photographs.py "$SMOKE/$half" --count 14 --seed "${#half}"
done
step "attacks" # 4: attacks that found nothing in some settings belong to a set, too
"$SEMSIM" attack grid configs/smoke/attack.yaml "$SMOKE/set" --engine here || [ $? -eq 4 ]
"$SEMSIM" attack gallery "$SMOKE/set" --out "$SMOKE/gallery.png"
step "annotation by classifiers"
"$SEMSIM" recogniser train configs/smoke/recognisers.yaml "$SMOKE/recognisers"
"$SEMSIM" annotate run "$SMOKE/set" "$SMOKE/annotations" --recognisers "$SMOKE/recognisers"
"$SEMSIM" annotate agreement "$SMOKE/annotations" --dataset "$SMOKE/set"
"$SEMSIM" annotate sheets "$SMOKE/set" "$SMOKE/sheets" --annotator ada --split test --clean 3 --repeats 0
step "training"
"$SEMSIM" train select configs/smoke/metric.yaml "$SMOKE/selection" --folds 2
"$SEMSIM" train run configs/smoke/metric.yaml "$SMOKE/trained"
"$SEMSIM" train hold-out configs/smoke/metric.yaml "$SMOKE/held-out"
step "artifact, model card, faithfulness"
"$SEMSIM" export "$SMOKE/trained/model.safetensors" "$SMOKE/artifact" --images "$SMOKE/attacked" --count 64
"$SEMSIM" train card configs/smoke/metric.yaml "$SMOKE/trained" "$SMOKE/artifact" \
    --held-out "$SMOKE/held-out" --selection "$SMOKE/selection"
"$SEMSIM" faithfulness set "$SMOKE/set" --judgements "$SMOKE/annotations" --kind classifier --out "$SMOKE/report" \
    --artifact "semsim-smoke=$SMOKE/artifact" --draws 200
step "a score"
"$SEMSIM" score examples/images/cat_32.png examples/images/cat_32/600.png --model "$SMOKE/artifact"
