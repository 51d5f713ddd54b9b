"""Runs points; `protocol` has the protocol of executors."""
