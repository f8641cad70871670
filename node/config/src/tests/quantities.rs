use proptest::prelude::*;

use crate::{Duration, Size};

fn wrong<T: std::str::FromStr<Err = crate::QuantityError> + std::fmt::Debug>(text: &str) -> String {
    text.parse::<T>().expect_err(text).to_string()
}

#[test]
fn durations_read_and_show_in_the_greatest_unit_that_divides_them() {
    let cases = [
        ("100ms", 100, "100ms"),
        ("1500ms", 1_500, "1500ms"),
        ("30s", 30_000, "30s"),
        ("90s", 90_000, "90s"),
        ("60s", 60_000, "1m"),
        ("1h", 3_600_000, "1h"),
        ("7d", 604_800_000, "7d"),
        ("720h", 2_592_000_000, "30d"),
        ("0ms", 0, "0s"),
        ("36500d", 3_153_600_000_000, "36500d"),
    ];
    for (text, millis, shown) in cases {
        let duration: Duration = text.parse().unwrap();
        assert_eq!(
            (duration.as_millis(), duration.to_string().as_str()),
            (millis, shown),
            "{text}"
        );
    }
    assert_eq!("36500d".parse(), Ok(Duration::MAX));
    let std = std::time::Duration::from(Duration::seconds(90));
    assert_eq!(std, std::time::Duration::from_secs(90));
}

#[test]
fn sizes_read_and_show_in_the_greatest_unit_that_divides_them() {
    let cases = [
        ("0B", 0, "0B"),
        ("1000B", 1_000, "1000B"),
        ("1024B", 1_024, "1KiB"),
        ("1536KiB", 1_572_864, "1536KiB"),
        ("64MiB", 67_108_864, "64MiB"),
        ("1GiB", 1_073_741_824, "1GiB"),
        ("1024TiB", 1_125_899_906_842_624, "1024TiB"),
    ];
    for (text, bytes, shown) in cases {
        let size: Size = text.parse().unwrap();
        assert_eq!((size.as_bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
    }
}

#[test]
fn a_wrong_duration_is_told_the_form() {
    let units = "write a whole number and ms, s, m, h or d, such as";
    assert_eq!(wrong::<Duration>("300"), format!("300 has no unit: {units} 300s"));
    for text in ["", "s", "1.5h", "-1s", "1 s", "1S", "1h30m", "1w", "٣s", "+1s", " 1s"] {
        let message = format!("{text} is not a duration: {units} 30s");
        assert_eq!(wrong::<Duration>(text), message);
    }
    for text in ["36501d", "3153600000001ms", "99999999999999999999999s"] {
        let message = format!("{text} is too much: a duration is at most 36500d");
        assert_eq!(wrong::<Duration>(text), message);
    }
}

#[test]
fn a_wrong_size_is_told_the_form() {
    let units = "write a whole number and B, KiB, MiB, GiB or TiB, such as";
    assert_eq!(wrong::<Size>("1024"), format!("1024 has no unit: {units} 1024B"));
    for text in ["MiB", "64MB", "64mib", "1.5GiB", "64 MiB", "64M"] {
        assert_eq!(wrong::<Size>(text), format!("{text} is not a size: {units} 64MiB"));
    }
    let message = "1125899906842625B is too much: a size is at most 1024TiB";
    assert_eq!(wrong::<Size>("1125899906842625B"), message);
}

#[test]
fn serde_takes_and_gives_the_text() {
    assert_eq!(serde_json::to_string(&Duration::seconds(90)).unwrap(), "\"90s\"");
    assert_eq!(serde_json::from_str::<Size>("\"2MiB\"").unwrap(), Size::mib(2));
    assert!(serde_json::from_str::<Duration>("30").is_err());
}

proptest! {
    #[test]
    fn what_a_duration_shows_reads_back(millis in 0..=Duration::MAX.as_millis()) {
        let duration: Duration = format!("{millis}ms").parse().unwrap();
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        prop_assert_eq!(duration.as_millis(), millis);
    }

    #[test]
    fn what_a_size_shows_reads_back(count in 0..=1024_u64, unit in "B|KiB|MiB|GiB|TiB") {
        let size: Size = format!("{count}{unit}").parse().unwrap();
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in ".{0,12}|[0-9]{1,25}(ms|s|KiB|TiB)?") {
        let _ = text.parse::<Duration>();
        let _ = text.parse::<Size>();
    }

    #[test]
    fn no_file_makes_the_loader_panic(
        text in "([a-z_]{1,12}|port|limits|tls|[:#\\[\\]{}&*!|>'\"\n -]|é){0,40}",
    ) {
        let _ = super::from_file(&text);
    }
}
