"""Readers of file formats, one per file: ``read(path, entry, by_rows)``, imported when needed."""
