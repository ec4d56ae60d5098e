"""Protobuf messages to domain values and back.

Only this package and the gRPC classes beside it know both. There is a file for each subject:
``options`` of a request, its ``events``, ``models``, and ``errors``.
"""
