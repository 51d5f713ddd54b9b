#!/bin/sh
# Imitates SuperIso's slha.x: an FLHA file of a fixed name, and exit code 1 on success too.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
echo 'SuperIso v4.1 - F. Mahmoudi'
[ "$mode" = 1 ] && cat > output.flha <<'END'
# SuperIso output in Flavour Les Houches Accord format
Block FCINFO  # Program information
     1     SUPERISO         # flavour calculator
     2     4.1              # version number
Block FOBS  # Flavour observables
# ParentPDG type  value  q  NDA ID1 ID2 ID3 ... comment
    5    1   3.40000000e-04   0   2     3    22        # BR(b->s gamma)
  521    4   7.95000000e-02   0   2   313    22        # Delta0(B->K* gamma)
END
exit 1
