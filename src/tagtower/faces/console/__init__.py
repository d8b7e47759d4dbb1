"""The console: pages for editors and operators, rendered by the server, without a build step."""
