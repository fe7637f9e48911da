"""Layer 1: made-up requests, valid and invalid, and the shapes of all answers."""
