"""
What agent, collector and dashboard share: values, formats, config, units, and the command line's root.

This package imports none of the three programs.
"""

__version__ = "0.1.0"
