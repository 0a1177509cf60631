"""Stylizing pictures and clips with a network; export and the web page."""
