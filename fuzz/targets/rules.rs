//! Rules of sites.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| request_handler::fuzz::rules(input));
