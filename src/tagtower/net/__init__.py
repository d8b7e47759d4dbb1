"""Fetching from outside, guarded: nothing here trusts an address, a length or an end that a stranger gives."""
