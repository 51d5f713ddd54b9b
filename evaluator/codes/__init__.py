"""Kinds of physics code, one a file, and the parts that they share."""
