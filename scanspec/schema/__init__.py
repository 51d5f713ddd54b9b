"""The JSON Schema of a scan file in lodescan's spelling, for editors.

It says what `lodescan check` says, as far as JSON Schema can: it compares no two numbers of a file, reads no other
file, and knows no name that the file defines.
"""

from scanspec.schema.whole import schema

__all__ = ["schema"]
