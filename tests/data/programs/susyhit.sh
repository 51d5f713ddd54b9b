#!/bin/sh
# Imitates SUSY-HIT: an output of a fixed name that a failed run leaves as it was, with NUL bytes in it.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' slhaspectrum.in)
[ "$mode" = 1 ] && printf 'BLOCK MASS\n 25 1.2\0\00050E+02 # h\0\nDECAY 25 4.0E-03\n 6.0E-01\0 2 5 -5 # BR(h -> b bb)\n' > susyhit_slha.out
exit 0
