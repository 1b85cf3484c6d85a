"""The library: the contract, the annotators and the stages that turn web pairs into corpora."""

__version__ = "0.1.0"
