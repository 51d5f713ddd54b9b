#!/bin/bash
# Make the documentation as a site in site/. Fails at a broken link or anchor.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHONPATH=.:proto .envs/proposer/bin/python tools/site.py
NO_MKDOCS_2_WARNING=1 .envs/docs/bin/mkdocs build --quiet --strict
echo "open site/index.html"
