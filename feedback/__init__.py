"""What shoppers did and what became of it: their state in a database, SQLite on one machine and PostgreSQL on a cluster."""
