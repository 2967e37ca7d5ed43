"""How identities join into customers and events fold into records."""
