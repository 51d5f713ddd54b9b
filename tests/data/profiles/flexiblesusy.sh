#!/bin/sh
# Imitates FlexibleSUSY: files are given as options; exit code 1 and SPINFO 4 mean that a point is unphysical.
for word in "$@"; do
    case $word in
    --slha-input-file=*) input=${word#*=} ;;
    --slha-output-file=*) output=${word#*=} ;;
    esac
done
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$input")
case $mode in
1) printf 'Block SPINFO\n 1 FlexibleSUSY\n 3 warning: large scale\nBlock MASS\n 25 1.25E+02\n' > "$output" ;;
2) printf 'Block SPINFO\n 1 FlexibleSUSY\n 4 tachyon(hh)\n' > "$output"; exit 1 ;;
3) echo 'cannot read the input' >&2; exit 1 ;;
4) printf 'Block SPINFO\n 1 FlexibleSUSY\n' > "$output" ;;      # as if it died while writing
esac
