"""What the generated client stands on: calls, retries, streams, pages and sessions.

Nothing here knows an operation by name: the generated package says what there
is, this package says how it is done. Import the public names from `siteassist`.
"""
