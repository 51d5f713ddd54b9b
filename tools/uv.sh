# How packages are installed, for the scripts that source this file; they set
# $env, the environment, and $torch_index. `find_uv` comes first.
# LODESCAN_PIP=1 leaves uv alone and takes pip.
uv=

find_uv() {
    [ -z "${LODESCAN_PIP:-}" ] || return 0
    uv=$(command -v uv) && return 0
    uv=.envs/uv/bin/uv
    mkdir -p .envs
    exec 8>.envs/uv.lock        # two environments at once: the second waits for uv
    flock 8
    if [ ! -x "$uv" ]; then
        rm -rf .envs/uv
        { "${PYTHON:-python3}" -m venv .envs/uv && .envs/uv/bin/python -m pip install -qq 'uv>=0.8,<1' 2>/dev/null; } || uv=
    fi
    flock -u 8
}

# Print a Python of a version, such as 3.13; fail where there is none. A shim of pyenv may be none.
find_python() {
    local found
    for found in "$(command -v "python$1")" "$(pyenv prefix "$1" 2>/dev/null)/bin/python"; do
        "$found" -c '' 2>/dev/null && { echo "$found"; return; }
    done
    return 1
}

install() {
    if [ -n "$uv" ]; then
        # Compiled now, as pip does: a warning about a package's source is not for a user's first scan.
        "$uv" pip install -q --python "$env/bin/python" --compile-bytecode \
            ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} "$@"
    else
        "$env/bin/python" -m pip --disable-pip-version-check -qq install "$@"
    fi
}

# The CPU build of torch, without gigabytes of CUDA. Where its index is out of
# reach, take what an install finds.
install_torch() {
    UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 UV_INDEX='' PIP_RETRIES=0 PIP_DEFAULT_TIMEOUT=5 \
        install --no-deps --index-url "$torch_index" "$1" 2>/dev/null ||
        install --no-deps "$1"
}
