"""Evaluates points: the protocol that a scan uses, and functions on this machine."""
