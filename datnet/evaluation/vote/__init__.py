"""A study with people: pages that show two results side by side, and what the answers say."""
