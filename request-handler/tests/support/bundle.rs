//! A script as bundlers make them.

use std::fmt::Write as _;

/// JavaScript of 500 KiB that is about as hard to compress as that of bundlers.
pub(crate) fn bundle() -> String {
    let mut state = 1_u64;
    let mut text = String::new();
    while text.len() < 500 << 10 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (name, value) = (state >> 48, (state >> 20) & 0xffff_ffff);
        writeln!(text, "function f{name:x}(state){{return state.get(\"k{value:x}\")||{name}}}").unwrap();
    }
    text
}
