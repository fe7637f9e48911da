"""Faults on request: failures, delays and documented responses of a client's choice."""
