"""The bot's custom actions, one a file: each translates what was said and calls one service."""
