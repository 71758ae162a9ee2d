"""The way to Rasa: its turns over HTTP, and its words for when it cannot answer."""
