"""SSH to the machines of a build; no other package imports paramiko."""
