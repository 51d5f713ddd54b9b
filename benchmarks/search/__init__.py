"""How many evaluations does a search need, and what does it find?"""
