#!/bin/bash
# Run both sides in containers: build, scan SCAN, and end with the proposer's exit code.
# usage: tools/up.sh SCAN
set -euo pipefail
cd "$(dirname "$0")/.."
FOLDER=$(cd "$(dirname "$1")" && pwd)
SCAN=$(basename "$1")
LODESCAN_USER=$(id -u):$(id -g)
LODESCAN_DONE_HINT=         # all containers end with the scan, so there is nothing to stop
export FOLDER SCAN LODESCAN_USER LODESCAN_DONE_HINT

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! docker compose build proposer >"$log" 2>&1; then
    tail -30 "$log" >&2
    echo "the proposer's image could not be built; the lines above say why" >&2
    exit 1
fi
PHYSICS=$(docker compose run --rm --no-deps --no-TTY --entrypoint python proposer -m scanspec environment "/scan/$SCAN")
export PHYSICS
rm -f "$log"
exec docker compose up --build --exit-code-from proposer
