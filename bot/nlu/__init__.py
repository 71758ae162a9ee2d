"""Components that Rasa's pipeline loads: what a text says, in which language, and what it leaves unsaid."""
