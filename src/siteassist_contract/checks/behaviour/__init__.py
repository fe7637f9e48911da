"""Layer 2: what the documents promise of conversations, messages, lists and visitors."""
