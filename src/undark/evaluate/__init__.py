"""Honest numbers: metrics, protocols, baselines and reports."""
