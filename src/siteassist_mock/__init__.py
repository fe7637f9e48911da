"""A stateful mock server of the SiteAssist v2 API, built from ``openapi.yaml``.

It shares no code with the client or the contract suite, so that a bug in one of
them cannot be hidden by the same bug here.
"""
