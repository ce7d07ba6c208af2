#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| shiome_properties::rtc_chunks(input));
