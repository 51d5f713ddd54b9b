#!/bin/bash
# Fails when the generated code is stale, the contract breaks buf's rules, or
# it would break a peer that was built with proto/released.json. After a
# release: .envs/dev/bin/buf build -o proto/released.json
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

tools/contract.sh "$fresh"
diff -r --brief --exclude __pycache__ --exclude '*.proto' proto/lodescan "$fresh/lodescan" >&2 ||
    { echo "the code in proto/ is not what the contract gives: make contract" >&2; exit 1; }
.envs/dev/bin/buf lint
.envs/dev/bin/buf breaking --against proto/released.json
