"""The operator's page and its endpoints under ``/_mock``."""
