"""The signatures of other libraries, computed by subspan: change an import, keep the calls.

Each module is imported by name: ``subspan.compat.scipy_interpolative``, ``subspan.compat.sklearn``
``subspan.compat.torch`` and ``subspan.compat.trak``; but for the first they need the library they are named
after, the last one PyTorch.
"""
