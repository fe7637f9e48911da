"""What a run leaves behind: a page for people, JUnit for CI, JSON for programs."""
