"""The reports of a run: a page for people, JUnit for CI, JSON for programs."""
