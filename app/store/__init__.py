"""The SQL of every noun but the ledger. Functions take a connection, name the organization, never commit."""
