"""How well changes are found, ours and other tools' side by side."""
