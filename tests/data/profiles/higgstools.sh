#!/bin/sh
# Imitates a driver of HiggsTools: reads a spectrum and writes its own file with BSMArt's block.
grep -q '^ *25 ' "$1" || exit 1
cat > "$2" <<'END'
BLOCK HIGGSTOOLS
1  1  # HB result (0/1)
2  7.00000000e-01  # HB maximum obs ratio
11  9.50000000e+01  # HS chi2
12  159  # HS number of observables
13  9.99000000e-01  # BSMArt Inferred HS pval
25  7.00000000e-01  # ID: 2, ref: CMS: LHC13 [gg>H] > tautau
END
