"""What the commands for one process share: a recording, its output file, the program that is recorded."""
