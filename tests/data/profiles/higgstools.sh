#!/bin/sh
# Imitates a driver of HiggsTools: reads a spectrum, writes a file of its own with one block.
grep -q '^ *25 ' "$1" || exit 1
printf 'Block HIGGSTOOLS\n 1 1 # HiggsBounds: allowed\n 2 9.5E+01 # HiggsSignals: chi2\n' > "$2"
