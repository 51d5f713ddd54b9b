"""Strategies decide which points to try next; `base` says what one is.

Nothing is imported here: the commands that only read a run must not wait for torch.
"""
