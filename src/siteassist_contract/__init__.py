"""Contract tests that hold any server to ``openapi.yaml``.

The command is ``siteassist-contract``; see `siteassist_contract.__main__`.
"""
