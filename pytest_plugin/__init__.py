"""The pytest front end of verified-images."""
