#!/usr/bin/env bash
# From data to models/semsim-default. Steps that are done are not done again, and an interrupted one goes on:
# remove datasets/NAME, its annotations or a directory of OUT to have it made anew.
#   SEMSIM_DATA=... training/runs/reproduce.sh [OUT]
set -euo pipefail
cd "$(dirname "$0")/../.."
OUT=${1:-build/default}
SEMSIM=${SEMSIM:-.venv/dev/bin/semsim}
SETS="cifar10 cifar10-many caltech101 caltech101-many"
CONFIG=configs/metric/default.yaml
: "${SEMSIM_DATA:?expected the folder with caltech101/ and cifar10/, and weights/ beside it}"
export SEMSIM_DATA
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

for set in $SETS; do # reconstructions; 4: attacks that found nothing in some settings belong to a set, too
    "$SEMSIM" attack grid "configs/attacks/$set.yaml" "datasets/$set" || [ $? -eq 4 ]
done
judged() { ls "datasets/$1/annotations/"*.parquet > /dev/null 2>&1; }
for set in $SETS; do # judgements, and the classifiers that give them where there are none
    judged "$set" && continue
    "$SEMSIM" recogniser train configs/recognisers/cpu.yaml "$OUT/recognisers"
    "$SEMSIM" annotate run "datasets/$set" "datasets/$set/annotations" --recognisers "$OUT/recognisers"
done
"$SEMSIM" train select "$CONFIG" "$OUT/selection"
"$SEMSIM" train run "$CONFIG" "$OUT/trained"
"$SEMSIM" train hold-out "$CONFIG" "$OUT/held-out" --epochs 2
"$SEMSIM" export "$OUT/trained/model.safetensors" models/semsim-default --images "$SEMSIM_DATA/caltech101"
"$SEMSIM" export-controls models/semsim-default $(printf 'datasets/%s ' $SETS)
"$SEMSIM" train card "$CONFIG" "$OUT/trained" models/semsim-default \
    --held-out "$OUT/held-out" --selection "$OUT/selection"
for set in $SETS; do # against the vision models, beside other metrics
    [ -f "$OUT/faithfulness/$set/report.json" ] && continue
    "$SEMSIM" faithfulness set "datasets/$set" --judgements datasets/vision-models --kind vision_model --qualified --split test \
        --lpips "$SEMSIM_DATA/../weights/lpips_alexnet.safetensors" --artifact semsim=models/semsim-default \
        --artifact imagenet-baseline=models/imagenet-baseline --images \
        --out "$OUT/faithfulness/$set" --write docs/faithfulness/semsim-default.md
done
"$SEMSIM" faithfulness identified $(printf 'datasets/%s ' $SETS) --judgements datasets/vision-models --qualified \
    --faces "$SEMSIM_DATA/caltech101/Faces" --write docs/user.md
"$SEMSIM" faithfulness stand-ins "$SEMSIM_DATA/people/texture_shape.parquet" --write docs/faithfulness.md
for set in cifar10-many caltech101-many; do # they show originals, so that they are no part of the repository
    [ -f "$OUT/copies/$set/dataset.json" ] || "$SEMSIM" annotate copies "datasets/$set" "$OUT/copies/$set"
done
"$SEMSIM" faithfulness copies "$OUT/copies/cifar10-many" "$OUT/copies/caltech101-many" \
    --judgements datasets/vision-models --qualified --write docs/faithfulness.md
