"""The claims of the article: rules, the statistics they use, verdicts, and the page that presents them."""
