"""The command ``siteassist``: conversations in a terminal, with the generated client."""
