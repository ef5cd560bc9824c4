//! The command line, and the whole platform in one process.
