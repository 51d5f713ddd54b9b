#!/bin/bash
# Run the tests that match a pytest marker expression, each in the environment
# it belongs to. usage: tools/test.sh EXPRESSION PHYSICS...; the physics
# environments whose tests are among them. Fails when any part fails.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()

part() {    # part ENVIRONMENT EXPRESSION FOLDER...
    local environment=$1 expression=$2 folders=() code
    for folder in "${@:3}"; do [ -d "tests/$folder" ] && folders+=("tests/$folder"); done
    echo "--- ${folders[*]} in .envs/$environment"
    ".envs/$environment/bin/python" -m pytest -q -m "$expression" "${folders[@]}"
    code=$?
    # 5: nothing there for this expression
    [ $code = 0 ] || [ $code = 5 ] || failed+=("$environment")
}

for physics in "${@:2}"; do
    part "$physics" "$1 and physics(environment='$physics')" evaluator
done
part evaluator "$1 and not physics" scanspec evaluator conformance
part proposer "$1 and not physics" proposer pair

[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
