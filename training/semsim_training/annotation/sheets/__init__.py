"""Contact sheets: numbered tiles for annotators without a browser, and for vision models."""
