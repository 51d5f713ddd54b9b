#!/bin/sh
# Imitates SPheno: input and output are arguments, the exit code is always 0, and Messages.out is left behind.
mode=$(sed -n 's/^ *1  *\([0-9]\).*/\1/p' "$1")
echo "Warning from a subroutine" >> Messages.out
case $mode in
1) printf 'Block SPINFO\n 1 SPheno\n 2 4.0.5\nBlock MASS\n 25 1.25E+02 # h\nDECAY 25 4.1E-03\n 5.8E-01 2 5 -5\n' > "$2" ;;
2) printf 'Block SPINFO\n 1 SPheno\n 4 tachyon: negative squared mass of stau\n' > "$2" ;;
3) : ;;                                             # a NaN inside: no output
4) sleep 1000 & setsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 1000 ;;
5) kill -SEGV $$ ;;
6) kill -KILL $$ ;;
7) kill -TERM $$ ;;
8) printf 'Block MASS\n 25 none\n' > "$2" ;;        # not a number
9) setsid sleep 1000 & sleep 0.3; printf 'Block MASS\n 25 1.25E+02\n' > "$2" ;;
esac
exit 0
