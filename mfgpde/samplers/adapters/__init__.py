"""Samplers of other libraries, called and not read: what each takes and returns, one library a file."""
