#!/usr/bin/env bash
# A run of the example on a SuperLink of its own, which ends with it. Options go to `flwr run`; OUT is the folder of what it writes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${OUT:-$root/build/flower}
export PATH=$root/.venv/flower/bin:$PATH FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 RAY_USAGE_STATS_ENABLED=0
export SEMSIM_DATA=${SEMSIM_DATA-$root/../shared/data}
# With it, each of a run's processes would compile PyTorch anew: half of its time.
unset PYTHONDONTWRITEBYTECODE
FLWR_HOME=$(mktemp -d)
export FLWR_HOME
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '[superlink.local]\naddress = "127.0.0.1:%s"\ninsecure = true\n' "$port" > "$FLWR_HOME/config.toml"
flower-superlink --insecure --simulation --host 127.0.0.1 --port "$port" > "$FLWR_HOME/superlink.log" 2>&1 &
superlink=$!
trap 'kill "$superlink" 2> /dev/null || true; wait "$superlink" 2> /dev/null || true; rm -rf "$FLWR_HOME"' EXIT
python - "$port" "$superlink" << 'END' || { cat "$FLWR_HOME/superlink.log"; exit 1; }
import os, sys, time, urllib.request

while True:
    os.kill(int(sys.argv[2]), 0)  # fails where the SuperLink has ended
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=1)
        break
    except OSError:
        time.sleep(0.1)
END
rm -rf "$out"
flwr run "$here" local --stream --run-config "out=\"$out\"" \
	--federation-config "num-supernodes=3 client-resources-num-cpus=1 init-args-num-cpus=1" "$@"
python - "$out" << 'END'
import json, pathlib, sys

rows = [(path.stem, json.loads(line)) for path in pathlib.Path(sys.argv[1]).glob("*.jsonl") for line in path.open()]
if not rows:
    sys.exit("expected reports, got none: the run failed")
for name, row in sorted(rows, key=lambda one: (one[1]["round"], one[0])):
    after = "" if row["defense"] == "none" else f" after {row['defense']}"
    sent = {True: f", sent{after}", False: ", not sent", None: ""}[row["sent"]]
    print(f"{name:8} round {row['round']}: {row['verdict']}{sent}")
END
printf 'curve: '
semsim audit plot "$out"/*.parquet "$out/curve.png"
printf 'gallery: %s\n' "$out"/client-*.png "$out"/probe.png
