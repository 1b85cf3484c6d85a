"""Parquet shards -> samples -> batches."""
