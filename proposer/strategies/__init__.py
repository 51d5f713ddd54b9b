"""Strategies decide which points to try next; `base` has their protocol.

Nothing is imported here, because commands that only read a run must not wait for torch.
"""
