"""Rules as data: reading, compiling, checking, storing, and their endpoints."""
