"""Judged sets: reconstructions with the judgements of annotators, and with their pictures on demand."""
