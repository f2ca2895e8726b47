"""Rows become Examples."""
