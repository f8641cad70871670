//! Conversions and spellings of numbers, in one place.

use std::time::Duration;

/// A count as a number to divide by or to draw.
#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A number without its fraction; below 0 is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub fn whole(number: f64) -> u64 {
    number as u64
}

/// The same as [`float`] for a length in memory.
pub fn float_len(length: usize) -> f64 {
    float(length as u64)
}

/// A duration in whole microseconds, as latencies are recorded.
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as people read them: `850 µs`, `1.25 ms`, `2.10 s`.
pub fn latency(microseconds: f64) -> String {
    if microseconds < 1_000.0 {
        format!("{microseconds:.0} µs")
    } else if microseconds < 1_000_000.0 {
        format!("{:.2} ms", microseconds / 1_000.0)
    } else {
        format!("{:.2} s", microseconds / 1_000_000.0)
    }
}

/// Bytes in MiB or GiB.
pub fn bytes(bytes: f64) -> String {
    let mebibytes = bytes / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.2} GiB", mebibytes / 1024.0)
    }
}

/// A number of keys or connections as an axis shows it: `64`, `10k`, `5M`.
pub fn short(count: u64) -> String {
    match count {
        n if n >= 1_000_000 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n >= 1_000 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0.0, 999.0, 1000.0, 1_234_567.0].map(grouped).each_ref().map(String::as_str)
        );
    }

    #[test]
    fn latencies_choose_their_unit() {
        assert_eq!(latency(850.0), "850 µs");
        assert_eq!(latency(1_250.0), "1.25 ms");
        assert_eq!(latency(2_100_000.0), "2.10 s");
    }

    #[test]
    fn sizes_choose_their_unit() {
        assert_eq!(bytes(f64::from(512 << 20)), "512 MiB");
        assert_eq!(bytes(f64::from(1 << 30)), "1.00 GiB");
    }

    #[test]
    fn counts_are_short_only_when_that_is_exact() {
        assert_eq!(
            ["64", "10k", "5M", "1500"],
            [64, 10_000, 5_000_000, 1_500].map(short).each_ref().map(String::as_str)
        );
    }
}
