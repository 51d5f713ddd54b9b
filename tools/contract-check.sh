#!/bin/bash
# Fails if the generated code is out of date, if the contract violates buf's rules,
# or if it is incompatible with proto/released.json. After a release, run
# .envs/dev/bin/buf build -o proto/released.json
set -euo pipefail
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

tools/contract.sh "$fresh"
diff -r --brief --exclude __pycache__ --exclude '*.proto' proto/lodescan "$fresh/lodescan" >&2 ||
    { echo "the code in proto/ is out of date: run make contract" >&2; exit 1; }
.envs/dev/bin/buf lint
.envs/dev/bin/buf breaking --against proto/released.json
