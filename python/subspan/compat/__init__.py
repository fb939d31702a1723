"""The signatures of other libraries, computed by subspan: change an import, keep the calls.

Each module is imported by name: ``subspan.compat.scipy_interpolative``, ``subspan.compat.sklearn``
and ``subspan.compat.torch``; the last two need the library they are named after.
"""
