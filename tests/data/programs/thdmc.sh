#!/bin/sh
# Imitates 2HDMC: exit code 0, and flags in block THDM that say whether stability and unitarity hold.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
flag=1
[ "$mode" = 2 ] && flag=0
cat > "$2" <<END
#                 Two-Higgs Doublet Model Output                 #
Block MODSEL # Select Model
    0   10    #  10 = 2HDM
Block FMODSEL # FLHA definitions, see [arXiv:1008.0762]
    1   32    #  Model
    5    0    #  No CP-violation
Block THDM
    1    1    #  Valid parameters (1=Yes, 0=no)
    2    $flag    #  Tree-level unitarity (1=Yes, 0=no)
    3    1    #  Perturbativity (1=Yes, 0=no)
    4    1    #  Stability (1=Yes, 0=no)
Block MASS      #  Mass spectrum (kinematic masses)
#  PDG      Mass
    25        1.25000000e+02   # Mh1, lightest CP-even Higgs
    35        3.00000000e+02   # Mh2, heaviest CP-even Higgs
END
