#!/usr/bin/env bash
# Trained victims and the reconstruction sets made from them. What is done is not done again, and an interrupted run goes
# on: SIGTERM ends a search where it stands. One process at the lowest priority, unless WORKERS says otherwise.
#   SEMSIM_DATA=... training/runs/sets.sh [SET...]       all sets, or these
#   SEMSIM_DATA=... training/runs/sets.sh --gpu [cpu]    the searches of 8,000 iterations, for nine minutes, in build/;
#                                                        with cpu a rehearsal of three iterations on a few images
set -euo pipefail
cd "$(dirname "$0")/../.."
SEMSIM=${SEMSIM:-.venv/dev/bin/semsim}
: "${SEMSIM_DATA:?expected the folder with caltech101/, cifar10/ and cifar100_partial.npz}"
export SEMSIM_DATA
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
renice -n 19 $$ > /dev/null

child=
trap '[ -z "$child" ] || kill "$child" 2> /dev/null || true; exit 143' TERM INT
run() { "$@" & child=$!; local code=0; wait "$child" || code=$?; child=; return "$code"; }
attacked() { # the codes of a set that was written: everything matched, some of it leaks, nothing was found
    local code=0
    run timeout "${LIMIT:-0}" "$SEMSIM" attack grid "$@" || code=$?
    case "$code" in 0 | 4 | 5) ;; 124) echo "the time is over: the same command goes on" ;; *) return "$code" ;; esac
}

if [ "${1:-}" = --gpu ]; then
    grid=configs/attacks/trained-gpu.yaml out=build/trained-gpu device=cuda
    if [ "${2:-}" = cpu ]; then
        device=cpu out=build/trained-gpu-rehearsal grid=configs/attacks/.rehearsal.yaml
        trap 'rm -f configs/attacks/.rehearsal.yaml' EXIT
        sed -E 's/iterations: 8000/iterations: 3/; s/count: 100/count: 4/; s/^batch_size: .*/batch_size: 4/' \
            configs/attacks/trained-gpu.yaml > "$grid"
    fi
    LIMIT=540 attacked "$grid" "$out" --engine here --device "$device"
    exit
fi

victims_of() { sed -nE 's|.*checkpoint: \.\./\.\./models/victims/([^.]*)\.safetensors.*|\1|p' "configs/attacks/$1.yaml"; }
[ $# -gt 0 ] || set -- cifar10-trained caltech101-trained cifar100-trained cifar10-trained-defended
for victim in $(for set in "$@"; do victims_of "$set"; done); do
    [ -f "models/victims/$victim.safetensors" ] && continue
    run "$SEMSIM" victim train configs/victims/trained.yaml models/victims --only "$victim"
done
for set in "$@"; do
    attacked "configs/attacks/$set.yaml" "datasets/$set" --workers "${WORKERS:-1}"
done
