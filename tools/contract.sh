#!/bin/bash
# Generate the Python code of the contract. usage: tools/contract.sh OUTDIR
set -euo pipefail
cd "$(dirname "$0")/.."
.envs/dev/bin/python -m grpc_tools.protoc --proto_path=proto \
    --python_out="$1" --pyi_out="$1" --grpc_python_out="$1" proto/lodescan/v1/evaluation.proto
