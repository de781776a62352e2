#!/usr/bin/env bash
# Builds the CPU image on a Debian that it makes, runs it, and scores a pair with it, without a registry or a container
# engine:
#   deploy/image/try.sh
# It needs root and Debian's packages buildah and debootstrap, and ends with exit code 77 where one is missing. All its
# files, about 3 GB, lie in a folder below TMPDIR that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() { echo "skipped: $1" >&2; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root, for debootstrap and chroot"
for tool in buildah debootstrap python3; do
  command -v "$tool" >/dev/null || skip "needs $tool (Debian: apt-get install buildah debootstrap)"
done

work=$(mktemp -d)
# With chroot processes outlive buildah. A variable in their environment tells those of this script, oldest first.
ours() { { grep -lazxF "TRY_IMAGE=$work" /proc/[0-9]*/environ 2>/dev/null || true; } | cut -d/ -f3 | sort -n; }
cleanup() {
  ours | xargs --no-run-if-empty kill -KILL
  buildah rm --all >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT

export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$work/graph" "$work/run" > "$CONTAINERS_STORAGE_CONF"

echo "== a base: Debian bookworm with Python 3.11"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$work/base" > "$work/debootstrap.log" 2>&1 ||
  { tail -n 20 "$work/debootstrap.log" >&2; skip "needs Debian's packages, and debootstrap got none"; }
base=$(buildah from scratch)
buildah add --quiet "$base" "$work/base" / > /dev/null
buildah commit --quiet "$base" localhost/semsim-base > /dev/null
buildah rm "$base" > /dev/null
rm -rf "$work/base"

echo "== the image"
# The build gets the host's pip settings and certificates: a network may have its own mirror or certificate authority.
options="--network=host --volume=/etc/ssl/certs:/etc/ssl/certs:ro"
if [ -f /etc/pip.conf ]; then options+=" --volume=/etc/pip.conf:/etc/pip.conf:ro"; fi
ENGINE=buildah BASE_IMAGE=localhost/semsim-base BUILD_OPTIONS="$options" SBOM="$work/sbom.json" deploy/image/build.sh cpu localhost/semsim:try
grep -q '"purl": "pkg:pypi/pillow@' "$work/sbom.json" || { echo "expected a bill of materials with pillow, got none" >&2; exit 1; }
container=$(buildah from localhost/semsim:try)
buildah inspect --type image localhost/semsim:try > "$work/image.json"
python3 - "$work/image.json" > "$work/entrypoint" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))["OCIv1"]["config"]
user, ports = config["User"], sorted(config["ExposedPorts"])
if (user, ports) != ("10001:10001", ["3000/tcp", "3001/tcp"]):
    sys.exit(f"expected the user 10001:10001 and the ports 3000 and 3001, got {user} and {ports}")
print("\n".join(config["Entrypoint"]))
PYTHON
mapfile -t entrypoint < "$work/entrypoint"
echo "files: $(du -sh "$(buildah mount "$container")" | cut -f1)"
read -r port grpc_port < <(python3 -c '
import socket
probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(probe.getsockname()[1] for probe in probes))')

in_image() { buildah run --network host --env "TRY_IMAGE=$work" "$@"; }

echo "== without a token the service does not start"
status=0
in_image "$container" -- timeout 60 "${entrypoint[@]}" --port "$port" > "$work/refused.log" 2>&1 || status=$?
head -n 1 "$work/refused.log"
[ "$status" = 2 ] || { echo "expected exit code 2, got $status" >&2; exit 1; }

echo "== with a token it scores"
head -c 24 /dev/urandom | base64 > "$work/token"
chmod 644 "$work/token"
# The token comes as a file, as from Kubernetes and Compose.
in_image --volume "$work/token:/run/secrets/semsim-token:ro" --env SEMSIM_AUTH__TOKEN_FILE=/run/secrets/semsim-token \
  "$container" -- "${entrypoint[@]}" --port "$port" --grpc-port "$grpc_port" > "$work/service.log" 2>&1 &
URL=http://127.0.0.1:$port TOKEN_FILE=$work/token WAIT_SECONDS=120 python3 deploy/helm/semsim/files/score_once.py ||
  { echo "-- its log:" >&2; tail -n 40 "$work/service.log" >&2; exit 1; }
buildah run --network host "$container" -- python -c '
import sys
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
health = health_pb2_grpc.HealthStub(grpc.insecure_channel(sys.argv[1]))
print("gRPC health:", str(health.Check(health_pb2.HealthCheckRequest(), timeout=10)).strip())
' "127.0.0.1:$grpc_port"

echo "== the image's root may be read-only, and the service stops"
root=$(buildah mount "$container")
# Below .cache lie ONNX Runtime's reports, below /run the files that the service was given.
written=$(find "$root" -xdev -newer "$work/token" -type f \( -path "*/.cache/*" -o \
  ! -path "$root/var/lib/semsim/*" ! -path "$root/tmp/*" ! -path "$root/run/*" \))
[ -z "$written" ] || { echo "expected the workers' metrics below /var/lib/semsim, got $written" >&2; exit 1; }
kill -TERM "$(ours | head -n 1)"
for _ in $(seq 30); do [ -n "$(ours)" ] || break; sleep 1; done
[ -z "$(ours)" ] || { echo "expected the service to stop within 30 s of SIGTERM, got processes that go on" >&2; exit 1; }
echo "the CPU image works"
