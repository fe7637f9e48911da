"""HTTP: routing, authentication, validation, limits and the server itself."""
