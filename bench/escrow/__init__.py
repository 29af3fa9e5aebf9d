"""What the escrow engine is worth: one file per measurement, run by bench/engine.py."""
