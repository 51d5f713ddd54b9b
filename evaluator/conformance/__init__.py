"""Does an evaluator, in any language, keep the contract?"""
