"""A report in one HTML file that can be sent: tables, plots, pictures and settings."""
