"""LODE, lodescan's own search. It starts in the module `strategy`."""
