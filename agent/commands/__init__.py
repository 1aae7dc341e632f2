"""The agent's commands; the command line's root loads a module when its command runs."""
