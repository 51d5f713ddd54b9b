#!/bin/bash
# Check the types of each side against the packages of its own environment.
# mypy and the stubs are in the dev environment, which comes first on the path.
# Both sides are checked at once, and the larger one prints its part last.
set -uo pipefail
cd "$(dirname "$0")/.."
site=$(.envs/dev/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
code=0

check() {   # check ENVIRONMENT PATH...
    local environment=$1
    PYTHONPATH=$site .envs/dev/bin/mypy --python-executable ".envs/$environment/bin/python" \
        --cache-dir ".mypy_cache/$environment" "${@:2}" || code=1
}

said=$(mktemp)
trap 'rm -f "$said"' EXIT
(check proposer scanspec proposer benchmarks tools tests/scanspec tests/proposer tests/pair tests/containers; exit $code) >"$said" 2>&1 &
check dev tests/manifests
check evaluator scanspec evaluator examples tests/evaluator tests/conformance
wait $! || code=1
cat "$said"
exit $code
