"""Rivals on the problems of `benchmarks.search`: one small script each, in an environment of its own.

A rival's process sees a problem through `far` alone; `start` starts and ends it, `answers` answers and counts.
"""
