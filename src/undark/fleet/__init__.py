"""Fleets: a million photos, on one machine or many; none lost, none done twice.

A plan lists them once (:mod:`undark.fleet.plan`). Whoever works on it puts a result first and then
its receipt, of which one stands (:mod:`undark.fleet.receipts`). So work can stop at any moment, be
done by several at once, and be proved afterwards (:mod:`undark.fleet.verify`).
"""
