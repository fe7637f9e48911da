"""Event streams: decoding, events, and the answer they add up to."""
