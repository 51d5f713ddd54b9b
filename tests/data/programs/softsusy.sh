#!/bin/sh
# Imitates SOFTSUSY: SLHA on standard input and output, exit code 255 and SPINFO 4 for a tachyon, SPINFO 3 for a warning.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p')
case $mode in
1) printf 'Block SPINFO\n 1 SOFTSUSY\nBlock MASS\n 25 1.244E+02\n' ;;
2) printf 'Block SPINFO\n 1 SOFTSUSY\n 4 [ stau tachyon ] # Point invalid\nBlock MODSEL\n 1 1\n'; exit 255 ;;
3) printf 'Block SPINFO\n 1 SOFTSUSY\n 3 [ MuSqWrongsign ] # possible problem\nBlock MASS\n 25 1.244E+02\n' ;;
4) exit 255 ;;
esac
