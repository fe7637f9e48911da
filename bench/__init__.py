"""What the client costs, next to its peers. `make bench-client` runs it; no test does."""
