"""Load tests: many simulated visitors at once, each of which judges all of its answers.

The command is ``siteassist-load``; see `siteassist_contract.load.__main__`. Locust runs the
visitors and measures times. Only `siteassist_contract.load.engine` and the command depend on
Locust; the other modules are plain Python.
"""
