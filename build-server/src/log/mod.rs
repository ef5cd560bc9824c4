//! What a build tells: recorded in a file, sent to the bus from there, archived from there.

mod lines;
mod reader;
mod recorder;
mod sender;
mod spool;

use lines::LineSplitter;

pub(crate) use reader::Readers;
pub(crate) use recorder::Recorder;
pub(crate) use sender::Outlet;
