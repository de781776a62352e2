"""The share of damaged pictures that the decoder refuses, and of valid ones that it refuses by mistake."""
