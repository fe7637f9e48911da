"""Contract tests for any server of the API in ``openapi.yaml``.

The command is ``siteassist-contract``; see `siteassist_contract.__main__`.
"""
