"""What the client and the mock cost, next to their peers, measured in the same run; no tests."""
