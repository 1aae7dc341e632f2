"""Says what the agent can see on this host, what it cannot, why, and how to mend that."""
