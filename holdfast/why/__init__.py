"""Why an order is what it is: the records that led to it, and what became of it, from the journal alone."""
