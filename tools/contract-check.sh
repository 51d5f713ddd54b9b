#!/bin/bash
# Fails when the generated code is stale, the contract breaks buf's rules, or
# it would break a peer that was built with proto/released.json. After a
# release: .envs/dev/bin/buf build -o proto/released.json
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

tools/contract.sh "$fresh"
for file in "$fresh"/lodescan/v1/*; do
    diff -u "proto/lodescan/v1/$(basename "$file")" "$file" >/dev/null ||
        { echo "proto/lodescan/v1/$(basename "$file") is stale: make contract" >&2; exit 1; }
done
.envs/dev/bin/buf lint
.envs/dev/bin/buf breaking --against proto/released.json
