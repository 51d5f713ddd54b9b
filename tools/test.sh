#!/bin/bash
# Run the tests that match a pytest marker expression, each in the environment
# it belongs to. usage: tools/test.sh EXPRESSION PHYSICS...; the physics
# environments whose tests are among them. Fails when any part fails.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

part() {    # part ENVIRONMENT EXPRESSION FOLDER...
    echo "--- ${*:3} in .envs/$1"
    # Code 5, no test at all, is a failure too.
    ".envs/$1/bin/python" -m pytest -q -m "$2" "${@:3}" || failed+=("$1")
}

for physics in "${@:2}"; do
    part "$physics" "$1 and physics(environment='$physics')" tests/evaluator
done
part evaluator "$1 and not physics" tests/scanspec tests/evaluator tests/conformance
part proposer "$1 and not physics" tests/proposer tests/pair

[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
