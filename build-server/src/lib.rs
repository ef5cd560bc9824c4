//! The builder: from a repository to a published deployment, in one run.
