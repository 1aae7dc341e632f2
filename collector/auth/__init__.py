"""Who may do what: tokens, roles and tenants, how fast, and over which encryption."""
