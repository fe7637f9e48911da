"""Benchmarks of the client and the mock server next to their peers, measured in the same run."""
