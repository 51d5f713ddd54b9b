#!/bin/bash
# Run the tests that match a pytest marker expression, each in the environment
# it belongs to, two environments at a time. usage: tools/test.sh EXPRESSION
# PHYSICS...; the physics environments whose tests are among them. What each
# part printed comes when it ends. Fails when any part fails.
set -uo pipefail
cd "$(dirname "$0")/.."
expression=$1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
failed=()

# part ENVIRONMENT WORKERS EXPRESSION FOLDER...; several workers where most of
# the time is spent waiting, one network thread each, so that they do not crowd the cores.
part() {
    local start=$SECONDS code=0
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} env -u PYTHONDONTWRITEBYTECODE ".envs/$1/bin/python" -m pytest -q --durations=20 --durations-min=1 \
        --numprocesses "$2" --dist worksteal -m "$3" "${@:4}" >"$logs/$1" 2>&1 || code=$?
    echo "--- ${*:4} in .envs/$1 took $((SECONDS - start)) s" >>"$logs/$1"
    return $code        # code 5, no test at all, is a failure too
}

declare -A running=()   # process: environment

collect() {             # wait for one part, and show what it printed
    local process code=0
    wait -n -p process "${!running[@]}" || code=$?
    cat "$logs/${running[$process]}"
    [ $code = 0 ] || failed+=("${running[$process]}")
    unset "running[$process]"
}

launch() {
    while [ ${#running[@]} -ge 2 ]; do collect; done
    echo "--- ${*:4} in .envs/$1 ..."
    part "$@" &
    running[$!]=$1
}

# Hundreds of tests start a process: none has to compile the program anew, also where Python is told to keep no byte code.
.envs/proposer/bin/python -m compileall -q evaluator proposer scanspec proto/lodescan

# The slow tests of the proposer mostly compute; of the fast ones, a third wait. Those of the evaluator mostly wait.
[[ $expression == "not slow"* ]] && workers=(3 4) || workers=(2 3)
launch proposer "${workers[0]}" "$expression and not physics" tests/proposer tests/pair
launch evaluator "${workers[1]}" "$expression and not physics" tests/scanspec tests/evaluator tests/conformance
# It has no slow tests. One process, because they share what kubectl has rendered.
[[ $expression != "not slow"* ]] || launch dev 0 "$expression" tests/manifests
for physics in "${@:2}"; do
    # Only the files with tests for it, by its name or by a variable: to import all others takes seconds.
    mapfile -t files < <(grep -lE "physics\(environment=(\"$physics\"|[a-z])" tests/evaluator/test_*.py)
    launch "$physics" 0 "$expression and physics(environment='$physics')" "${files[@]}"
done
while [ ${#running[@]} -gt 0 ]; do collect; done

[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
