"""The kinds of physics code, and the parts that they share."""
