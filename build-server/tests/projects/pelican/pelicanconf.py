SITENAME = "Hello from pelican"
TIMEZONE = "UTC"
