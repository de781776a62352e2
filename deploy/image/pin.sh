#!/usr/bin/env bash
# Writes the digests that the tags of all images have today into the files that name them:
#   deploy/image/pin.sh
# It asks the images' registries, with docker buildx, skopeo or crane.
set -euo pipefail
cd "$(dirname "$0")/../.."

digest() {
  if command -v skopeo >/dev/null; then skopeo inspect --raw "docker://$1" | sha256sum | sed 's/ .*//; s/^/sha256:/'
  elif command -v crane >/dev/null; then crane digest "$1"
  elif docker buildx version >/dev/null 2>&1; then docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
  else echo "expected skopeo, crane or docker buildx, got none" >&2; return 2
  fi
}

files=(bentofile.yaml deploy/image/build.sh deploy/compose/compose.yaml)
grep -ohE '[a-z0-9./-]+:[a-z0-9._-]+@sha256:[0-9a-f]{64}' "${files[@]}" | sort -u | while IFS= read -r pinned; do
  tag=${pinned%%@*}
  new=$(digest "$tag")
  [[ $new =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "expected a digest of $tag, got '$new'" >&2; exit 1; }
  sed -i "s|$pinned|$tag@$new|" "${files[@]}"
  echo "$tag@$new"
done
