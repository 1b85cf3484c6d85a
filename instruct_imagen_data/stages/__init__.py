"""One concept a file: pure functions over records or blocks, then one PTransform each."""
