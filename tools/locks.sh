#!/bin/bash
# Remake the lock files from the extras in pyproject.toml, with the newest
# versions that suit each other. usage: tools/locks.sh [NAME...]
# UPGRADE= keeps the versions that are locked, where they still suit.
set -euo pipefail
cd "$(dirname "$0")/.."
torch=torch==2.13.0         # named here: a newer one is a decision, not an accident
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
python=3.11                 # the oldest that lodescan runs on, and that of the images
upgrade=${UPGRADE---upgrade}
. tools/uv.sh
find_uv
[ -n "$uv" ] || { echo "locks are made by uv, which is neither here nor to be had" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The requirements of an extra that is for tools and tests, without the project's own.
extra() {
    "${PYTHON:-python3}" - "$1" <<'END'
import sys, tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
END
}

lock() {    # lock NAME OPTION...
    local links=()
    [ -z "${PIP_FIND_LINKS:-}" ] || links=(--find-links "$PIP_FIND_LINKS")
    cp "locks/$1.txt" "$work/$1.txt" 2>/dev/null || true
    "$uv" pip compile --quiet --no-header --no-annotate --python-version "$python" $upgrade "${links[@]}" \
        --output-file "$work/$1.txt" "${@:2}" || return      # `set -e` sleeps where somebody asks if this failed
    sed -E 's/\+[a-z0-9.]+$//' "$work/$1.txt" >"locks/$1.txt"
}

[ $# -gt 0 ] || set -- proposer evaluator fitting simsusy camb classy flavio eos hazma dask slha test browser exports readers docs dev parquet
for name in "$@"; do
    echo "locks/$name.txt"
    case $name in
    proposer)
        echo "$torch" >"$work/torch.txt"
        options=(--constraint "$work/torch.txt" --extra proposer --extra metrics pyproject.toml)
        # The CPU build, which needs no CUDA; where its index is out of reach, what an install finds.
        UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 lock proposer --index "$torch_index" "${options[@]}" 2>/dev/null ||
            lock proposer "${options[@]}"
        sed -i -E '/^(nvidia|cuda|triton)/d' locks/proposer.txt
        ;;
    test | browser | exports | docs | dev | parquet)
        # On top of every other environment, changing no version of the proposer, nor of others where these agree.
        cat locks/{proposer,evaluator,camb,flavio}.txt | awk -F== '!seen[$1]++' >"$work/constraints.txt"
        extra "$name" >"$work/extra.in"
        # umbridge asks for numpy, of which each environment has its own, and for a package `asyncio` that is none.
        [ "$name" = test ] && without=(--no-emit-package numpy --no-emit-package asyncio --no-emit-package protobuf) || without=()
        lock "$name" --constraint "$work/constraints.txt" "${without[@]}" "$work/extra.in"
        ;;
    readers)
        extra "$name" >"$work/extra.in"
        lock "$name" "$work/extra.in"
        ;;
    *) lock "$name" --extra "$name" --extra metrics pyproject.toml ;;
    esac
done
