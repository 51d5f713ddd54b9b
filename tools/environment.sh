#!/bin/bash
# Make or refresh one environment: .envs/NAME from locks/NAME.txt, this project
# added in place. usage: tools/environment.sh NAME [LOCK...]; further locks
# (test) are installed on top. Does nothing when all is as the locks say.
# Packages come by uv, and by pip where there is no uv and none can be had.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
env=.envs/$name
[[ $name =~ ^[A-Za-z0-9_-]+$ ]] || { echo "'$name' is no name of an environment: letters, digits, _ and - only" >&2; exit 2; }
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
[ -f "locks/$name.txt" ] || { echo "there is no environment '$name': locks/$name.txt is missing" >&2; exit 2; }
. tools/uv.sh

mkdir -p .envs
exec 9>".envs/$name.lock"       # two commands at once: the second waits, then finds it made
flock 9

if ! cmp -s "locks/$name.txt" "$env/lock/$name.txt"; then
    echo "making the environment $name, once (a minute or two) ..." >&2
    rm -rf "$env"
    "${PYTHON:-python3}" -m venv "$env"
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
# The dev environment holds tools alone, never the project.
if [ "$name" != dev ] && ! cmp -s pyproject.toml "$env/lock/pyproject.toml"; then
    find_uv
    install --no-deps --editable .
    cp pyproject.toml "$env/lock/"
fi
