#!/bin/bash
# Provide a browser for the tests of the report: Debian's chromium, which is installed here if the user is root.
set -euo pipefail
[ -z "$(command -v chromium)" ] || exit 0
if [ "$(id -u)" = 0 ] && [ -n "$(command -v apt-get)" ]; then
    echo "installing chromium, once (a minute) ..." >&2
    apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null || :
fi
[ -n "$(command -v chromium)" ] || {
    echo "the tests of the report need a browser: apt-get install chromium (as root), then give the same command again" >&2
    exit 1
}
