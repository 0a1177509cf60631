"""Stylize pictures and clips; export networks; the web page."""
