#!/bin/sh
# Writes 10 GB to its standard output (1), its standard error (2) or the output file (3).
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
case $mode in
1) exec head -c 10000000000 /dev/zero ;;
2) exec head -c 10000000000 /dev/zero >&2 ;;
3) exec head -c 10000000000 /dev/zero > "$2" ;;
esac
