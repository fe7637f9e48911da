"""The layer `shapes`: generated requests, valid and invalid, whose answers are validated."""
