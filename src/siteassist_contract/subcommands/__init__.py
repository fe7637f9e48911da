"""The subcommands of ``siteassist-contract``, each in a module with its name."""
