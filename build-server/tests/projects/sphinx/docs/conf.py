project = "Hello from sphinx"
extensions = ["sphinx.ext.githubpages"]
