"""The SQL of the ledger: the only writer of its tables. Functions take a connection and never commit."""
