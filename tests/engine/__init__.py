"""The pure engine: no database, no clock, no mocks."""
