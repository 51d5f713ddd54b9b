"""The commands of the evaluator, and their helpers."""
