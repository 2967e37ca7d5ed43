"""The demonstration: real orders, all the way, checked against published totals."""
