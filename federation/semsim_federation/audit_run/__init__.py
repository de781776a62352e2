"""``semsim audit run``: a federated training, audited in many ways to take part, and the page that tells of it."""
