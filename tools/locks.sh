#!/bin/bash
# Make the lock files again from the extras in pyproject.toml, with the newest
# compatible versions. usage: tools/locks.sh [NAME...]
# UPGRADE= (empty) keeps locked versions that are still compatible.
set -euo pipefail
cd "$(dirname "$0")/.."
torch=torch==2.13.0         # fixed here, so that a newer version is a decision
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
python=3.11                 # the oldest version that lodescan supports, and that of the images
upgrade=${UPGRADE---upgrade}
. tools/uv.sh
find_uv
[ -n "$uv" ] || { echo "locks are made by uv, which is missing and cannot be installed" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Print the requirements of an extra for tools or tests, without those of the project.
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
        --output-file "$work/$1.txt" "${@:2}" || return      # `set -e` has no effect if the caller tests for failure
    sed -E 's/\+[a-z0-9.]+$//' "$work/$1.txt" >"locks/$1.txt"
}

[ $# -gt 0 ] || set -- proposer evaluator fitting simsusy camb classy flavio eos hazma dask slha test browser exports readers docs dev parquet
for name in "$@"; do
    echo "locks/$name.txt"
    case $name in
    proposer)
        echo "$torch" >"$work/torch.txt"
        options=(--constraint "$work/torch.txt" --extra proposer --extra metrics pyproject.toml)
        # The CPU build, which needs no CUDA; if its index cannot be reached, the build of the usual index.
        UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 lock proposer --index "$torch_index" "${options[@]}" 2>/dev/null ||
            lock proposer "${options[@]}"
        sed -i -E '/^(nvidia|cuda|triton)/d' locks/proposer.txt
        ;;
    test | browser | exports | docs | dev | parquet)
        # Installed on top of other environments, so with the versions of the proposer, and of the others if they agree.
        cat locks/{proposer,evaluator,camb,flavio}.txt | awk -F== '!seen[$1]++' >"$work/constraints.txt"
        extra "$name" >"$work/extra.in"
        # umbridge requires numpy, which each environment has already, and a package `asyncio`, which is not needed.
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
