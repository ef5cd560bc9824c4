//! Times and sizes as people say them.

use jiff::{SignedDuration, Timestamp};

/// How long ago something was, such as `5 min ago`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.duration_since(then).as_secs() {
        ..10 => "now".to_owned(),
        seconds @ 10..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}

/// How long something took, such as `1.2 s` or `3 min 5 s`.
pub(super) fn took(duration: SignedDuration) -> String {
    let milliseconds = duration.as_millis().max(0);
    match milliseconds {
        ..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

/// A number of bytes, such as `4.8 MB`.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut tenths = bytes.saturating_mul(10);
    for larger in ["kB", "MB", "GB"] {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (seconds, expected) in [
            (-5, "now"),
            (9, "now"),
            (59, "59 s ago"),
            (61, "1 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 d ago"),
        ] {
            assert_eq!(ago(at(0), at(seconds)), expected);
        }
        assert_eq!(took(SignedDuration::from_millis(1_250)), "1.2 s");
        assert_eq!(took(SignedDuration::from_millis(185_000)), "3 min 5 s");
        for (bytes, expected) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (4_812_345, "4.8 MB")] {
            assert_eq!(size(bytes), expected);
        }
    }
}
