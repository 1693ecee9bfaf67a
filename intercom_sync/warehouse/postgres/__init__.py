"""PostgreSQL access: sessions, URLs, error translation and data frames."""
