"""The kinds of physics code, one per file. The registry finds every subclass of `Code` in these files."""
