"""Faithfulness: how far metrics agree with annotators, and with each other."""
