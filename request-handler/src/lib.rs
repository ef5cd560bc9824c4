//! The proxy: from a host name to the files of a deployment.
