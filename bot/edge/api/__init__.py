"""The JSON API under /api/v1: its operations, each declared once with its models, its scope and its documentation."""
