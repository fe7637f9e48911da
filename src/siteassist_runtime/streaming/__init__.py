"""Event streams: decoding, events, and the assembled answer."""
