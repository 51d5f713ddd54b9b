#!/bin/sh
# Imitates HiggsBounds: writes its block into the file that it reads; with no Higgs boson there it leaves it as it is.
grep -q '^ *25 ' "$1" || exit 0
cat >> "$1" <<'END'
Block HiggsBoundsResults
# HBresult: 1 allowed, 0 excluded, -1 unphysical
    0    5.10.2||LandH||     # version
    1    1              328  # channel
    1    2                1  # HBresult
    1    3   0.72692779334500290 # obsratio
    1    5   ||(p p)->h1->tautau|| # text
END
