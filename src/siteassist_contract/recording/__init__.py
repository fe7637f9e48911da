"""The judgement of recorded traffic, for which nothing is sent."""
