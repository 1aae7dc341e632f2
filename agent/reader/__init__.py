"""Stack engines: each reads the stacks of a process it does not stop."""
