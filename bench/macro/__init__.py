"""Whole-daemon benchmark: podlaned against testpmd and OVS on the same frames. See ../run.py."""
