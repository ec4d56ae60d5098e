"""Stages and use cases on a Ray cluster, for services with more than one machine.

The gRPC server stays the door: it admits, answers and keeps account. Models, and the work on
recordings and pages, run in replicas of Ray Serve, which are called through handles. Ray is an
optional dependency; only this package imports it.
"""
