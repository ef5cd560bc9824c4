//! The control plane: deploy requests, the catalog, launches, routes and live logs.
