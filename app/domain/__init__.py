"""The nouns: frozen values, ids, amounts, instants, durations and named errors. No input or output."""
