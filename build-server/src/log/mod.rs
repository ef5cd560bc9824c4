//! What a build tells: without secrets and within limits recorded in a file, sent to the bus from there, archived
//! from there.

mod file;
mod journal;
mod limits;
mod lines;
mod rate;
mod reader;
mod recorder;
mod redact;
mod sender;
mod spool;
mod tail;
mod versions;
mod window;

pub(crate) use limits::Limits;
pub(crate) use reader::Readers;
pub(crate) use recorder::Recorder;
pub(crate) use sender::Outlet;
