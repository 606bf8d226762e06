"""The SQL of every noun outside the ledger. Functions take a connection, name the organization, never commit."""
