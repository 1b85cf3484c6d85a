"""One verb a file: what a person runs beside the jobs. Nothing here imports Beam."""
