"""Matrices that are read in blocks: too large for memory, on disk or on other machines.

`tasks` says what one pass computes from a block, `reader` what a way of reading must offer, `matrix`
puts both behind the face of a linear operator. The readers are `subspan.chunks` and `subspan.dask`.
"""
