"""Measurements, each a command; figures are medians of one run on the machine at hand."""
