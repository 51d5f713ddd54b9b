#!/bin/bash
# Make or update one environment: .envs/NAME from locks/NAME.txt, with this project
# installed in place. usage: tools/environment.sh NAME[@VERSION] [LOCK...]
# Further locks, such as test, are installed on top. evaluator@3.13 is the environment
# evaluator on Python 3.13. Does nothing if the environment agrees with the locks.
# Packages are installed by uv, or by pip if uv cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1%@*}
version=${1#"$name"}
env=.envs/$1
[[ $name =~ ^[A-Za-z0-9_-]+$ ]] || { echo "'$name' is not a name of an environment: letters, digits, _ and - only" >&2; exit 2; }
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
. tools/uv.sh
[ -f "locks/$name.txt" ] || { echo "there is no environment '$name': locks/$name.txt is missing" >&2; exit 2; }
python=${PYTHON:-python3}
if [ -n "$version" ]; then
    [[ $version =~ ^@[0-9]+\.[0-9]+$ ]] || { echo "'${version#@}' is not a version of Python, such as 3.13" >&2; exit 2; }
    python=$(find_python "${version#@}") || { echo "there is no Python ${version#@} on this machine" >&2; exit 3; }
fi

mkdir -p .envs
exec 9>"$env.lock"       # of two commands at once, the second waits and then finds the environment
flock 9

if ! cmp -s "locks/$name.txt" "$env/lock/$name.txt"; then
    echo "making the environment $1, once (a minute or two) ..." >&2
    rm -rf "$env"
    "$python" -m venv "$env"
    mkdir "$env/lock"
    find_uv
    if torch=$(grep '^torch==' "locks/$name.txt"); then install_torch "$torch"; fi
    install --no-deps -r "locks/$name.txt"
    cp "locks/$name.txt" "$env/lock/"
fi
for lock in "${@:2}"; do
    cmp -s "locks/$lock.txt" "$env/lock/$lock.txt" && continue
    find_uv
    install --no-deps -r "locks/$lock.txt"
    cp "locks/$lock.txt" "$env/lock/"
done
# The dev environment has only tools, not the project.
if [ "$name" != dev ] && ! cmp -s pyproject.toml "$env/lock/pyproject.toml"; then
    find_uv
    install --no-deps --editable .
    cp pyproject.toml "$env/lock/"
fi
