"""The verbs that need a transaction, each readable from top to bottom."""
