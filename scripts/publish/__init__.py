"""What ``make publish`` puts into ``dist/``, each file by a module of its own."""
