"""The content of a website and the assistant's answers."""
