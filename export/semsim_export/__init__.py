"""A checkpoint to a model artifact: ONNX, precision variants, parity, execution providers."""
