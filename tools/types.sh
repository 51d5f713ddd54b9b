#!/bin/bash
# Check the types of each side against the packages of its own environment.
# mypy and the stubs are in the dev environment, which comes first on the path.
set -uo pipefail
cd "$(dirname "$0")/.."
site=$(.envs/dev/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
code=0

check() {   # check ENVIRONMENT PATH...
    local environment=$1
    PYTHONPATH=$site .envs/dev/bin/mypy --python-executable ".envs/$environment/bin/python" \
        --cache-dir ".mypy_cache/$environment" "${@:2}" || code=1
}

check proposer scanspec proposer benchmarks tests/scanspec tests/proposer tests/pair tests/containers
check dev tests/manifests
check evaluator scanspec evaluator examples tests/evaluator tests/conformance
exit $code
