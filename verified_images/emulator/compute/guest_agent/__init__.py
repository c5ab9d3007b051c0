"""What is done in a guest through its agent: extensions, run commands, patches."""
