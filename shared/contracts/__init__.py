"""The published language: what is on each topic, how it is encoded, and who may write it.

Pure: nothing here does I/O, and no service's internals appear. A change here is a change of contract.
"""
