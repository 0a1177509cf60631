"""One module per published table or figure, and results recorded from real runs."""
