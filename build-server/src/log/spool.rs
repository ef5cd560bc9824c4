//! The file that holds every event of the build: what is sent and what is archived is read from here, so a
//! bus that is slow or away never holds up a build.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use gitdeploy_core::{Body, Event, Phase, Stream};
use jiff::Timestamp;
use tokio::sync::watch;

use super::journal::Journal;
use super::limits::Limits;
use super::window::Part;
use crate::secrets::Secrets;

/// Why lines are not shown while the build runs, as the end of a sentence.
const LEFT_OUT: &str = "are left out while the build runs: they are in the log once it has ended";

/// How much is copied at once.
const COPY: usize = 256 * 1024;

/// Events in a file, one JSON object a line, numbered as they come. Some of them are to be sent.
#[derive(Debug)]
pub(crate) struct Spool {
    journal: Mutex<Journal>,
    /// How many times something was recorded that is to be sent.
    recorded: watch::Sender<u64>,
    /// How many times something was sent.
    sent: watch::Sender<u64>,
}

impl Spool {
    pub(super) fn create(limits: Limits, secrets: Arc<Secrets>) -> std::io::Result<Self> {
        Ok(Self {
            journal: Mutex::new(Journal::create(limits, secrets)?),
            recorded: watch::Sender::new(0),
            sent: watch::Sender::new(0),
        })
    }

    /// Lets `write` record. It never fails: what the disk does not take is told by a `gap` as soon as it can be.
    /// After [`Spool::close`] nothing is recorded: a thread that nobody waits for may still be talking.
    pub(super) fn write(&self, write: impl FnOnce(&mut Journal)) {
        let mut journal = self.lock();
        if !journal.is_closed() {
            write(&mut journal);
            journal.flush();
            self.tell(&journal);
        }
    }

    /// Takes no more events, and gives the one that `body` will be as the last.
    pub(super) fn close(&self, body: Body) -> Event {
        let mut journal = self.lock();
        let last = journal.close(body);
        self.tell(&journal);
        last
    }

    /// Records the event that [`Spool::close`] gave.
    pub(super) fn append_last(&self, event: &Event) {
        let mut journal = self.lock();
        journal.last(event);
        self.tell(&journal);
    }

    /// Records a notice, and then the event that [`Spool::close`] gave.
    pub(super) fn append_last_with_notice(&self, text: String, mut last: Event) {
        let mut journal = self.lock();
        let notice = Event { seq: last.seq, at: Timestamp::now(), body: Body::Notice { text } };
        last.seq += 1;
        journal.last(&notice);
        journal.last(&last);
        self.tell(&journal);
    }

    /// Notes that what was taken has reached the receiver.
    pub(super) fn sent(&self) {
        self.sent.send_modify(|times| *times += 1);
    }

    /// Changes whenever something has reached the receiver.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    /// Changes whenever there may be more to send.
    pub(super) fn recorded(&self) -> watch::Receiver<u64> {
        self.recorded.subscribe()
    }

    /// Takes the next events that are to be sent, as lines of JSON with their ends: up to `most`, and of no more
    /// than `bytes` bytes together, unless the first alone is longer.
    pub(super) fn take(&self, most: usize, bytes: usize) -> std::io::Result<Vec<u8>> {
        let mut journal = self.lock();
        match journal.window.next() {
            None => Ok(Vec::new()),
            Some(Part::Gap { seq, lines }) => {
                let body = Body::Gap { lines, reason: LEFT_OUT.to_owned() };
                Ok((Event { seq, at: Timestamp::now(), body }.to_json() + "\n").into_bytes())
            }
            Some(Part::Bytes(range)) => {
                let mut events = journal.file.read(range.start, bytes.min(length(&range)))?;
                if !events.contains(&b'\n') {
                    events = journal.file.read_line(range.start)?;
                }
                let ends = memchr::memchr_iter(b'\n', &events).take(most);
                events.truncate(ends.last().map_or(events.len(), |end| end + 1));
                journal.window.put_back(range.start + events.len() as u64..range.end);
                Ok(events)
            }
        }
    }

    /// What commands of `phase` wrote last: of the last `bytes` bytes that are recorded, those lines.
    pub(super) fn last_lines(&self, phase: Phase, bytes: usize) -> std::io::Result<Vec<String>> {
        let (recorded, first) = {
            let journal = self.lock();
            let offset = journal.file.bytes().saturating_sub(bytes as u64);
            (journal.file.read(offset, bytes)?, usize::from(offset > 0))
        };
        // The first is cut, unless it is the first of all.
        let events = recorded.split(|byte| *byte == b'\n').skip(first);
        let lines = events.filter_map(|event| match serde_json::from_slice::<Event>(event).ok()?.body {
            Body::Log(line) if line.phase == phase && line.stream != Stream::Builder => Some(line.text),
            _ => None,
        });
        Ok(lines.collect())
    }

    /// Copies all that is recorded to `writer`.
    pub(super) fn copy_to(&self, writer: &mut impl Write) -> std::io::Result<()> {
        let mut offset = 0;
        loop {
            let bytes = self.lock().file.read(offset, COPY)?;
            if bytes.is_empty() {
                return Ok(());
            }
            writer.write_all(&bytes)?;
            offset += bytes.len() as u64;
        }
    }

    fn tell(&self, journal: &Journal) {
        if !journal.window.is_empty() {
            self.recorded.send_modify(|times| *times += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no panic while locked")
    }
}

fn length(range: &std::ops::Range<u64>) -> usize {
    usize::try_from(range.end - range.start).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gitdeploy_core::End;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::journal::Now;
    use super::super::rate::Limit;
    use super::*;

    fn spool(rate: Limit, archive: u64, live: u64) -> Spool {
        let secrets = Arc::new(Secrets::new(&[]).unwrap());
        Spool::create(Limits { rate, archive, live }, secrets).unwrap()
    }

    fn parse(ndjson: &[u8]) -> Vec<Event> {
        ndjson
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    fn archive(spool: &Spool) -> Vec<Event> {
        let mut copy = Vec::new();
        spool.copy_to(&mut copy).unwrap();
        parse(&copy)
    }

    /// All that is to be sent, in batches of at most so many events and bytes.
    fn live(spool: &Spool, most: usize, bytes: usize) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let batch = parse(&spool.take(most, bytes).unwrap());
            if batch.is_empty() {
                return events;
            }
            let size: usize = batch.iter().map(|event| event.to_json().len() + 1).sum();
            assert!(batch.len() <= most && (size <= bytes || batch.len() == 1));
            events.extend(batch);
        }
    }

    /// That each line is there or counted, and returns how many there were.
    fn told(events: &[Event]) -> u64 {
        let (mut lines, mut missing) = (0, 0);
        for event in events {
            match &event.body {
                Body::Gap { lines, .. } => missing += lines,
                Body::Log(line) => {
                    assert_eq!(line.line, lines + missing + 1);
                    (lines, missing) = (line.line, 0);
                }
                _ => {}
            }
        }
        lines + missing
    }

    proptest! {
        #[test]
        fn every_line_is_told_or_counted_whatever_the_limits(
            steps in vec((0_u64..60, 0_u64..900, any::<bool>()), 1..30),
            burst in 1_u64..100,
            a_second in 1_u64..100,
            room in 0_u64..20_000,
            live_bytes in 1_u64..9000,
            most in 1_usize..70,
            bytes in 1_usize..3000,
        ) {
            let spool = spool(Limit { burst, a_second }, (4 << 20) + room, live_bytes);
            let mut now = Now::read();
            let (mut written, mut sent) = (0, Vec::new());
            for (lines, milliseconds, speaks) in steps {
                now.instant += Duration::from_millis(milliseconds);
                spool.write(|journal| {
                    for _ in 0..lines {
                        written = journal.line((Phase::Build, Stream::Stdout), None, b"some words", now);
                    }
                    if speaks {
                        journal.event(Body::Notice { text: "a word".to_owned() });
                    }
                });
                sent.extend(live(&spool, most, bytes));
            }
            let last = spool.close(Body::End(End::ready(1, 2)));
            spool.write(|journal| journal.event(Body::Notice { text: "too late".to_owned() }));
            spool.append_last(&last);
            sent.extend(live(&spool, most, bytes));

            let archive = archive(&spool);
            prop_assert!(archive.iter().zip(1..).all(|(event, seq)| event.seq == seq));
            prop_assert_eq!(told(&archive), written);
            prop_assert_eq!(told(&sent), written);
            prop_assert!(archive.last().unwrap().end().is_some() && sent.last().unwrap().end().is_some());
            // What is sent is the archive, but for gaps that stand for what is left out.
            let mut before = 0;
            for event in &sent {
                let is_next = event.seq == before + 1 && archive[usize::try_from(before).unwrap()] == *event;
                let stands_for = event.seq > before && matches!(event.body, Body::Gap { .. });
                prop_assert!(is_next || stands_for, "{event:?} after {before}");
                before = event.seq;
            }
        }
    }

    #[test]
    fn an_event_of_any_length_is_sent_whole() {
        let spool = spool(Limit { burst: 10, a_second: 10 }, 100 << 20, 1 << 20);
        for length in [10, 100_000, 1_000_000] {
            spool.write(|journal| journal.event(Body::Notice { text: "x".repeat(length) }));
        }
        assert_eq!(live(&spool, 64, 1000), archive(&spool));
    }

    #[test]
    fn what_the_disk_does_not_take_is_counted_when_it_takes_more() {
        let spool = spool(Limit { burst: 1000, a_second: 10 }, 100 << 20, 1 << 20);
        let say = |lines: u64| {
            spool.write(|journal| {
                for _ in 0..lines {
                    journal.line((Phase::Build, Stream::Stdout), None, b"some words", Now::read());
                }
            });
        };
        say(3);
        let file = std::mem::replace(&mut spool.lock().file, super::super::file::SpoolFile::full());
        say(4);
        say(5);
        spool.lock().file = file;
        say(2);
        let archive = archive(&spool);
        assert_eq!(told(&archive), 14);
        assert!(matches!(archive[3].body, Body::Gap { lines: 9, .. }), "{archive:?}");
        assert_eq!(live(&spool, 64, 1000), archive);
    }

    #[test]
    fn a_notice_may_come_before_the_end() {
        let spool = spool(Limit { burst: 10, a_second: 10 }, 1000, 1000);
        let last = spool.close(Body::End(End::ready(1, 2)));
        spool.append_last_with_notice("the log could not be archived".to_owned(), last);
        let sent = live(&spool, 64, 1000);
        assert_eq!(sent.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        assert!(sent[1].end().is_some());
    }
}
