"""From what a user writes to one frozen model."""
