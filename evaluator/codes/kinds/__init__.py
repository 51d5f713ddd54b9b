"""The kinds of physics code, one a file: each class of a file here that is a `Code` is found by the registry."""
