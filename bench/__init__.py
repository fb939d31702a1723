"""Benches: what is timed (cases.py), how (run.py), against what (bench_<noun>.py)."""
