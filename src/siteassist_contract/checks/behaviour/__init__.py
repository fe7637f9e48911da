"""The layer `behaviour`: what is documented of conversations, messages, lists and visitors."""
