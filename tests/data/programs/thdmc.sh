#!/bin/sh
# Imitates 2HDMC: exit code 0, and flags in a block that say whether stability and unitarity hold.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
flag=1
[ "$mode" = 2 ] && flag=0
printf 'Block FLAGS\n 1 1 # stability\n 2 %s # unitarity\nBlock MASS\n 25 1.25E+02\n' $flag > "$2"
