"""The commands of the proposer, one per file."""
