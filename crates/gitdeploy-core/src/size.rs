//! Sizes as people write them.

/// A number of bytes in decimal units, rounded to one decimal place, such as `4.8 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut unit, mut name) = (1000_u128, "kB");
    for larger in ["MB", "GB"] {
        if tenths(bytes, unit) < 10_000 {
            break;
        }
        (unit, name) = (unit * 1000, larger);
    }
    let tenths = tenths(bytes, unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// A number of files, such as `1 file` or `34 files`.
pub fn files(count: u64) -> String {
    format!("{count} {}", if count == 1 { "file" } else { "files" })
}

fn tenths(bytes: u64, unit: u128) -> u128 {
    (u128::from(bytes) * 10 + unit / 2) / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_one_decimal_place_and_never_to_a_thousand() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_049, "1.0 kB"),
            (1_050, "1.1 kB"),
            (243_649, "243.6 kB"),
            (243_650, "243.7 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_000_000, "1.0 MB"),
            (4_812_345, "4.8 MB"),
            (999_949_999, "999.9 MB"),
            (999_950_000, "1.0 GB"),
            (1_500_000_000_000, "1500.0 GB"),
            (u64::MAX, "18446744073.7 GB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn one_file_is_no_files() {
        for (count, expected) in [(0, "0 files"), (1, "1 file"), (2, "2 files")] {
            assert_eq!(files(count), expected);
        }
    }
}
