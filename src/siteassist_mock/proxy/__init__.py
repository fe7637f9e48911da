"""A proxy for development, which records the traffic with a real server and judges its answers."""
