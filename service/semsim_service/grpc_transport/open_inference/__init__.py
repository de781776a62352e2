"""The Open Inference Protocol: its methods, its input tensors as pairs, and answers as its output tensors."""
