"""Answers what the Makefile asks of a scan file: `python -m scanspec environment FILE`."""

from __future__ import annotations

import argparse
import sys

from scanspec import ScanFileError, read_scan_file


def main() -> int:
    """Prints the physics environment that a scan file names; 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m scanspec", description=__doc__)
    parser.add_argument("what", choices=["environment"])
    parser.add_argument("file")
    arguments = parser.parse_args()
    try:
        scan = read_scan_file(arguments.file)
    except ScanFileError as error:
        print(error, file=sys.stderr)
        return 2
    print(scan.environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
