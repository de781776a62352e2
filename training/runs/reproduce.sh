#!/usr/bin/env bash
# From sets and judgements to models/semsim-default, its card and the tables of the docs. Steps that are done are not done again, and
# an interrupted one goes on: remove datasets/NAME or a directory of OUT to have it made anew. The sets of trained victims, which
# training/runs/sets.sh makes in many hours, and which vision models then judge (docs/annotation.md), are in once they are finished and
# judged; until then they are left out, and that is told.
#   SEMSIM_DATA=... training/runs/reproduce.sh [OUT]
set -euo pipefail
cd "$(dirname "$0")/../.."
OUT=${1:-build/default}
SEMSIM=${SEMSIM:-.venv/dev/bin/semsim}
PYTHON=${PYTHON:-.venv/dev/bin/python}
CONFIG=configs/metric/default.yaml
: "${SEMSIM_DATA:?expected the folder with caltech101/, cifar10/ and cifar100_partial.npz, and weights/ beside it}"
export SEMSIM_DATA
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

for set in cifar10 cifar10-many caltech101 caltech101-many; do
    # Reconstructions; 4: attacks that found nothing in some settings belong to a set, too.
    "$SEMSIM" attack grid "configs/attacks/$set.yaml" "datasets/$set" || [ $? -eq 4 ]
    ls "datasets/$set/annotations/"*.parquet > /dev/null 2>&1 && continue
    # Judgements by classifiers, for comparison: the model does not learn from them.
    "$SEMSIM" recogniser train configs/recognisers/cpu.yaml "$OUT/recognisers"
    "$SEMSIM" annotate run "datasets/$set" "datasets/$set/annotations" --recognisers "$OUT/recognisers"
done
mapfile -t SETS < <("$SEMSIM" train sets "$CONFIG")
[ ${#SETS[@]} -gt 0 ]

"$SEMSIM" train select "$CONFIG" "$OUT/selection"
"$SEMSIM" train run "$CONFIG" "$OUT/trained"
"$SEMSIM" train hold-out "$CONFIG" "$OUT/held-out" --epochs 2
"$SEMSIM" export "$OUT/trained/model.safetensors" models/semsim-default --images "$SEMSIM_DATA/caltech101"
"$SEMSIM" export-controls models/semsim-default "${SETS[@]}"
"$SEMSIM" train card "$CONFIG" "$OUT/trained" models/semsim-default \
    --held-out "$OUT/held-out" --selection "$OUT/selection"
"$PYTHON" -m semsim_export.time_curve "$CONFIG" "$OUT/selection" --beside pooled-64 \
    --write docs/faithfulness/semsim-default.md --picture docs/faithfulness/auc-over-time.png
for set in "${SETS[@]}" datasets/cifar10-fresh datasets/cifar10-trained-generators; do # against the vision models, beside other metrics
    name=$(basename "$set")
    [ -f "$OUT/faithfulness/$name/report.json" ] && continue
    splits=(--split test)
    case "$name" in cifar10-fresh | cifar10-trained-generators) splits=() ;; esac # no metric learned from them
    "$SEMSIM" faithfulness set "$set" --judgements datasets/vision-models --kind vision_model --qualified "${splits[@]}" \
        --lpips "$SEMSIM_DATA/../weights/lpips_alexnet.safetensors" --artifact semsim=models/semsim-default \
        --artifact imagenet-baseline=models/imagenet-baseline --images \
        --out "$OUT/faithfulness/$name" --write docs/faithfulness/semsim-default.md
done
"$SEMSIM" faithfulness identified "${SETS[@]}" --judgements datasets/vision-models --qualified \
    --faces "$SEMSIM_DATA/caltech101/Faces" --write docs/user.md
"$SEMSIM" annotate agreement datasets/vision-models $(printf -- '--dataset %s ' "${SETS[@]}") \
    --qualified --write docs/annotation.md
"$SEMSIM" annotate clearer-copies datasets/vision-models $(printf -- '--dataset %s ' "${SETS[@]}") --write docs/annotation.md
"$SEMSIM" faithfulness one-more "$CONFIG" --write docs/faithfulness.md
"$SEMSIM" faithfulness stand-ins "$SEMSIM_DATA/people/texture_shape.parquet" --write docs/faithfulness.md
for set in cifar10-many caltech101-many; do # they show originals, so that they are no part of the repository
    [ -f "$OUT/copies/$set/dataset.json" ] || "$SEMSIM" annotate copies "datasets/$set" "$OUT/copies/$set"
done
"$SEMSIM" faithfulness copies "$OUT/copies/cifar10-many" "$OUT/copies/caltech101-many" \
    --judgements datasets/vision-models --qualified --write docs/faithfulness.md
"$SEMSIM" faithfulness inputs "$CONFIG" --faces "$SEMSIM_DATA/caltech101/Faces" --write docs/faithfulness.md
