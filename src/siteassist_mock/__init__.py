"""A stateful stand-in for the SiteAssist v2 API, built from ``openapi.yaml``.

It rests on the API's description alone and shares no code with the client or
the contract suite, so that a fault in one of them cannot hide itself here.
"""
