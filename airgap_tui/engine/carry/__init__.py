"""Carrying the tool itself: as an executable, or as wheels that run from the medium."""
