"""The tiny bot's actions."""
