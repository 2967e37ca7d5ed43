"""How events fold into one record per customer, the same for any order, duplication and batching."""
