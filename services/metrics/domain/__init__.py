"""What is counted and what is asked of it: facts that commute, and KPIs as questions over them."""
