"""What the proofs share: the service under test, requests whose answers are known, and the wires they go over."""
