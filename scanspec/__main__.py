"""Commands of the Makefile: `python -m scanspec environment FILE` and `python -m scanspec schema`."""

from __future__ import annotations

import json
import sys

from scanspec import ScanFileError, read_scan_file, visible
from scanspec.intermixed import Parser
from scanspec.schema import schema


def main() -> int:
    """Prints the physics environment that a scan file names, or the JSON Schema of scan files. Returns 2 for a wrong
    file.
    """
    parser = Parser(prog="python -m scanspec", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="what")
    commands.add_parser("environment").add_argument("file")
    commands.add_parser("schema")
    arguments = parser.parse_args()
    if arguments.what == "schema":
        print(json.dumps(schema(), indent=1))
        return 0
    try:
        scan = read_scan_file(arguments.file)
    except ScanFileError as error:
        print(visible(error.tell()), file=sys.stderr)
        return 2
    print(scan.environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
