"""Layer 2: the documented behaviour of conversations, messages, lists and visitors."""
