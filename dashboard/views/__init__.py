"""Pure functions from API answers to what a page shows."""
