"""What the generated client rests on; ordinary Python, tested by itself."""
