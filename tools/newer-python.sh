#!/bin/bash
# Test lodescan with a newer Python than that of the locks and images.
# usage: tools/newer-python.sh VERSION
# The tests of the evaluator run in the evaluator's base environment. The lock of the
# proposer is resolved for this Python from wheels, and must give the same versions.
# Its packages are not installed, because torch for another Python is large, so its
# tests do not run. Without this Python the tests are skipped with a message.
set -uo pipefail
cd "$(dirname "$0")/.."
version=$1
code=0
. tools/uv.sh

if ! find_python "$version" >/dev/null; then
    echo "skipped: the evaluator's tests on Python $version, which this machine does not have"
else
    tools/environment.sh "evaluator@$version" test || exit 1
    python=.envs/evaluator@$version/bin/python
    "$python" -m compileall -q evaluator scanspec proto/lodescan
    OMP_NUM_THREADS=1 env -u PYTHONDONTWRITEBYTECODE "$python" -m pytest -q --numprocesses 4 --dist worksteal \
        -m 'not slow and not soak and not containers and not physics' tests/scanspec tests/evaluator tests/conformance ||
        code=1
fi

find_uv
if [ -z "$uv" ]; then
    echo "skipped: the proposer's lock on Python $version, which needs uv"
    exit $code
fi
resolved=$(mktemp)
trap 'rm -f "$resolved"' EXIT
# Write names in one spelling: Jinja2 of PyPI is jinja2 in uv's output.
names() { sed -E '/==/!d; s/\+[a-z0-9.]+$//' "$1" | tr 'A-Z_.' 'a-z--' | sort; }
if "$uv" pip compile --quiet --no-deps --no-build --no-header --no-annotate --python-version "$version" \
    --output-file "$resolved" locks/proposer.txt && diff <(names locks/proposer.txt) <(names "$resolved"); then
    echo "the proposer's lock resolves for Python $version, from wheels alone; its tests do not run there"
else
    echo "the proposer's lock does not resolve for Python $version"
    code=1
fi
exit $code
