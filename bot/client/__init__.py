"""The inference service's client: gRPC and protobuf on one side, dataclasses on the other.

``types`` holds what the rest of the bot sees, ``conversion`` turns it into protobuf messages and
back, ``calls`` makes the calls. Protobuf types do not leave this package.
"""
