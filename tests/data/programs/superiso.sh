#!/bin/sh
# Imitates SuperIso: an output file of a fixed name, and exit code 1 on success too.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
[ "$mode" = 1 ] && printf 'Block FOBS\n 5 1 3.4E-04\n' > output.flha
exit 1
