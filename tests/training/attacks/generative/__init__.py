"""Tests of attacks with generative priors."""
