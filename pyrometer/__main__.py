"""``python -m pyrometer`` is the same as ``pyrometer``."""

from pyrometer.cli import main

if __name__ == "__main__":
    main()
