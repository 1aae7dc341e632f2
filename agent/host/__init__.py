"""What the agent says about the whole machine: its metrics, and a bill for its CPU that adds up."""
