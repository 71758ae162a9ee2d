"""One adapter for each way to reach a customer: Twilio, the web chat, and the simulator that stands in for Twilio."""
