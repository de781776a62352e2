#!/usr/bin/env bash
# A run of the example on a SuperLink of its own, which ends with it. Options go to `flwr run`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$root/build/flower
export PATH=$root/.venv/flower/bin:$PATH FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1 RAY_USAGE_STATS_ENABLED=0
export SEMSIM_DATA=${SEMSIM_DATA-$root/../shared/data}
FLWR_HOME=$(mktemp -d)
export FLWR_HOME
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '[superlink.local]\naddress = "127.0.0.1:%s"\ninsecure = true\n' "$port" > "$FLWR_HOME/config.toml"
flower-superlink --insecure --simulation --host 127.0.0.1 --port "$port" > "$FLWR_HOME/superlink.log" 2>&1 &
superlink=$!
trap 'kill "$superlink" 2> /dev/null || true; wait "$superlink" 2> /dev/null || true; rm -rf "$FLWR_HOME"' EXIT
until python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=1)' \
	"http://127.0.0.1:$port/health" 2> /dev/null; do
	kill -0 "$superlink" || { cat "$FLWR_HOME/superlink.log"; exit 1; }
	sleep 0.5
done
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
