"""The builders of the files in ``dist/``, which ``make publish`` writes."""
