//! Events of builds, replayed and followed: in memory or over Redis.
//!
//! What a reader may rely on, whatever is behind it: it gets every event from the one after which it asked,
//! in order, none twice; first those that were published before it came, then the others as they come. A
//! repeat of a batch and a batch of an older attempt are never seen.
