"""Measurements that belong to no table or figure of the paper: speed, memory, kills, fuzzing."""
