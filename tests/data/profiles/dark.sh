#!/bin/sh
# Imitates a micrOMEGAs program of SARAH or BSMArt: reads a spectrum and writes omg.out, whose first lines belong to no
# block. At the first point it compiles, which takes longer than a point may.
here=$(dirname "$0")
[ -e "$here/compiled" ] || { sleep 0.9; touch "$here/compiled"; }
for word in "$@"; do
    case $word in
    --xsections) wide=yes ;;
    *) spectrum=$word ;;
    esac
done
grep -q 1000022 "$spectrum" || { echo 'no dark matter candidate'; exit 1; }
cat > omg.out <<'END'
1 1.200000e-01 # Total relic density Omega h^2 
2 1000022 # CDM1 
3 1.000000e+02 # CDM1 Mass (GeV) 
100 0.700000 # ~N1 ~N1 -> t T
101 0.300000 # ~N1 ~N1 -> b B
201 1.463768e-10 #
401 0.500000 # Direct detection pval 
END
[ -z "$wide" ] || cat >> omg.out <<'END'
BLOCK ZPEEDIN #
 1  31  # PDG
 2  2.5000E+03  # mass
XSECTION  1.300000E+04   2212  2212  1  31 
 0  0  0  0  0  0 1.500000E-03 micrOMEGAs

END
