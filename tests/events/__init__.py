"""The life of events, from HTTP to the ledger, on a real PostgreSQL and Redis."""
