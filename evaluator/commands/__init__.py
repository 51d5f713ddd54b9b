"""The commands, and what only they need."""
