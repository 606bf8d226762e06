"""The nouns: frozen values, ids, amounts, instants, durations and named errors. Standard library only."""
