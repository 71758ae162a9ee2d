"""Afterword asks how it was, hears what is left unsaid, begins to put it right, and brings in a person."""
