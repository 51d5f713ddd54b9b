"""Checks whether an evaluator, in any language, follows the contract."""
