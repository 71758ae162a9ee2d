"""The public HTTP service: webhooks, web chat, desk, API, pages and what operations ask for."""
