#!/bin/sh
# Imitates SUSY-HIT: fixed names of files, settings in the working directory, NUL bytes. A failure leaves the old output.
[ -r susyhit.in ] || { echo 'susyhit.in is missing'; exit 0; }
grep -q '^ *25 ' slhaspectrum.in || exit 0
{ cat slhaspectrum.in; printf 'Block DCINFO\n 1 SDECAY\0/HDECAY\nDECAY 25 4.0E-03\n 6.0E-01\0 2 5 -5 # b bb\n'; } > susyhit_slha.out
