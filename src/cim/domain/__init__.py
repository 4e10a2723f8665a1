"""The words that a module is written in: standard library only, synchronous, no I/O.

What lives here runs unchanged inside a Wasm guest, so nothing here may import beyond the
standard library (a test holds that).
"""
