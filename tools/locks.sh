#!/bin/bash
# Remake the lock files from the extras in pyproject.toml, each in a fresh
# environment. usage: tools/locks.sh [NAME...]
set -euo pipefail
cd "$(dirname "$0")/.."
torch=torch==2.13.0         # named here: a newer one is a decision, not an accident
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The requirements of an extra that is for tools and tests, without the project's own.
extra() {
    "$work/$1/bin/python" - "$1" <<'EOF'
import sys, tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")
EOF
}

[ $# -gt 0 ] || set -- proposer evaluator fitting simsusy camb classy flavio eos hazma dask slha test dev parquet
for name in "$@"; do
    echo "locks/$name.txt"
    "${PYTHON:-python3}" -m venv "$work/$name"
    pip() { "$work/$name/bin/python" -m pip --disable-pip-version-check -qq "$@"; }
    pip uninstall --yes setuptools      # came with the venv: listed only where something needs it
    case $name in
    proposer)
        pip install --no-deps --retries 0 --timeout 5 --index-url "$torch_index" "$torch" 2>/dev/null ||
            pip install --no-deps "$torch"
        pip install ".[proposer]"
        ;;
    test | dev | parquet)
        # On top of every other environment, changing no version there.
        sort -u locks/{proposer,evaluator,camb,flavio}.txt >"$work/constraints.txt"
        extra "$name" >"$work/extra.txt"
        pip install --constraint "$work/constraints.txt" --requirement "$work/extra.txt"
        ;;
    *) pip install ".[$name]" ;;
    esac
    exclude=(--exclude pip --exclude lodescan)
    # umbridge asks for numpy, of which each environment has its own, and for a package `asyncio` that is none.
    [ "$name" = test ] && exclude+=(--exclude numpy --exclude asyncio)
    "$work/$name/bin/python" -m pip freeze --all "${exclude[@]}" | sed -E 's/\+[a-z0-9.]+$//' >"$work/$name.txt"
    mv "$work/$name.txt" "locks/$name.txt"
done
