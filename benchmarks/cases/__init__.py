"""The problems of ``benchmarks/engine.py``, one file each."""
