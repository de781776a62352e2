"""SemSim itself: triplets of originals and judged reconstructions, an embedding trained on them, its calibration."""
