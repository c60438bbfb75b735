#!/usr/bin/env bash
# Pins the images that Duecycle is built from and runs beside, in deploy/Dockerfile and docker-compose.yml, to the digests that
# their tags have in the registry now: name:tag becomes name:tag@sha256:… A step of every release; needs docker and the network.
#   deploy/pin-images.sh            pin all; those that are pinned, again
#   deploy/pin-images.sh --check    change nothing; list images that are not pinned and fail if there is one
# A folder after these words: where the two files are, if not in this checkout.
set -euo pipefail
check=
[ "${1:-}" != --check ] || { check=yes; shift; }
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

files=(deploy/Dockerfile docker-compose.yml)
images() { # every image that comes from a registry; our own is built here
    sed -nE 's/^ARG PYTHON_IMAGE=(.+)$/\1/p; s/^ +image: ([^ ]+).*$/\1/p' "${files[@]}" | grep -v '^duecycle:' | sort -u
}

if [ -n "$check" ]; then
    if images | grep -v '@sha256:[0-9a-f]\{64\}$' >&2; then
        echo "pin-images: not pinned to a digest (above); run deploy/pin-images.sh" >&2
        exit 1
    fi
    exit
fi

edits=()
for image in $(images); do
    tag=${image%@*}
    digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$tag") || digest="(docker failed)"
    if [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
        echo "pin-images: the registry named no digest of $tag: $digest; nothing was changed" >&2
        exit 1
    fi
    edits+=(-e "s#(image: |PYTHON_IMAGE=)${image//./\\.}( |\$)#\\1$tag@$digest\\2#")
    echo "pin-images: $tag@$digest" >&2
done
sed -i -E "${edits[@]}" "${files[@]}"
