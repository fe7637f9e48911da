"""HTTP: sessions, requests made from the description, and the recorder of exchanges."""
