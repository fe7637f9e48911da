"""Benchmarks against peers that are measured in the same run; never part of the tests."""
