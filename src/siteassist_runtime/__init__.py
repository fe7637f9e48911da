"""The runtime of the generated client: calls, retries, streams, pages and sessions.

It contains nothing about single operations; those are in the generated package.
Import the public names from `siteassist`.
"""
