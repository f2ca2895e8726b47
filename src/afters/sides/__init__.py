"""Sides of a comparison: results that lie on disk already, wherever they came from, put through the same tests."""
