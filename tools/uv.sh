# Functions that install packages, for scripts that source this file. A script sets
# $env (the environment) and $torch_index, and calls `find_uv` first.
# LODESCAN_PIP=1 uses pip instead of uv.
uv=

find_uv() {
    [ -z "${LODESCAN_PIP:-}" ] || return 0
    uv=$(command -v uv) && return 0
    uv=.envs/uv/bin/uv
    mkdir -p .envs
    exec 8>.envs/uv.lock        # of two environments at once, the second waits for uv
    flock 8
    if [ ! -x "$uv" ]; then
        rm -rf .envs/uv
        { "${PYTHON:-python3}" -m venv .envs/uv && .envs/uv/bin/python -m pip install -qq 'uv>=0.8,<1' 2>/dev/null; } || uv=
    fi
    flock -u 8
}

# Print a Python of this version, such as 3.13; fail if there is none. A shim of pyenv may not work, so it is tried.
find_python() {
    local found
    for found in "$(command -v "python$1")" "$(pyenv prefix "$1" 2>/dev/null)/bin/python"; do
        "$found" -c '' 2>/dev/null && { echo "$found"; return; }
    done
    return 1
}

install() {
    if [ -n "$uv" ]; then
        # Compiled now, as pip does, so that warnings about a package's source do not appear in a user's first scan.
        "$uv" pip install -q --python "$env/bin/python" --compile-bytecode \
            ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} "$@"
    else
        "$env/bin/python" -m pip --disable-pip-version-check -qq install "$@"
    fi
}

# Install the CPU build of torch, without the gigabytes of CUDA. If its index cannot
# be reached, install the build of the usual index.
install_torch() {
    UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 UV_INDEX='' PIP_RETRIES=0 PIP_DEFAULT_TIMEOUT=5 \
        install --no-deps --index-url "$torch_index" "$1" 2>/dev/null ||
        install --no-deps "$1"
}
