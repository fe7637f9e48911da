"""Layer 1: generated requests, valid and invalid, and the validation of their answers."""
