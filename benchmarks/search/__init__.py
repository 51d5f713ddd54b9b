"""How many evaluations a search needs, and what it finds."""
