"""LODE, lodescan's own search; `strategy` is where it begins."""
