//! What a build tells: recorded in a file, sent to the bus from there, archived from there.

mod lines;
mod recorder;
mod sender;
mod spool;

pub(crate) use lines::LineSplitter;
pub(crate) use recorder::Recorder;
pub(crate) use sender::Outlet;
