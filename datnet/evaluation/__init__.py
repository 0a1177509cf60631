"""Metrics, the contents × styles protocol, tables and figures."""
