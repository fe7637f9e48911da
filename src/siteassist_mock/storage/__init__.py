"""The state of a server, in memory, in an SQLite file or in PostgreSQL."""
