"""Downloads put where they belong: what is known of them, fetching, unpacking, manifests."""
