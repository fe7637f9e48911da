"""Load tests: many visitors at once, each of whom judges every answer that it gets.

The command is ``siteassist-load``; see `siteassist_contract.load.__main__`.
`siteassist_contract.load.engine` alone knows of Locust, which runs the visitors
and measures; all else is plain Python.
"""
