"""Storage of the state in memory, in an SQLite file or in PostgreSQL."""
