"""The published contract: an AsyncAPI 3 document and JSON Schemas of what upstream systems send and receive.

The files are generated from the structs of :mod:`shared.messages`; see :mod:`shared.contracts.generate`.
"""
