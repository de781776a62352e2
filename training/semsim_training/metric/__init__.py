"""SemSim itself: an embedding trained on comparisons of judged reconstructions, its calibration and its measure."""
