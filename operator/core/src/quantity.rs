//! Kubernetes' quantities, as numbers: `1024Mi` and `1Gi` are the same.

/// A quantity in thousandths. Nothing if it is none, or beyond what 128 bits hold.
pub fn milli(text: &str) -> Option<i128> {
    let (number, factor) = split(text)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    // Kubernetes rounds up what is finer than it counts.
    Some(value.checked_mul(factor)?.checked_add(scale - 1)? / scale)
}

/// A quantity of bytes.
pub fn bytes(text: &str) -> Option<u64> {
    u64::try_from(milli(text)?.checked_add(999)? / 1000).ok()
}

/// Whether two texts are the same quantity.
pub fn same(left: &str, right: &str) -> bool {
    left == right || milli(left).is_some_and(|left| Some(left) == milli(right))
}

/// The number and, in thousandths, what its unit stands for.
fn split(text: &str) -> Option<(&str, i128)> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let binary = |power| 1000 * 1024_i128.pow(power);
    let decimal = |power| 1000 * 1000_i128.pow(power);
    let factor = match unit {
        "" => 1000,
        "m" => 1,
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        _ => exponent(unit)?,
    };
    Some((number, factor))
}

fn exponent(unit: &str) -> Option<i128> {
    let power: u32 = unit.strip_prefix(['e', 'E'])?.parse().ok()?;
    10_i128.checked_pow(power)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_in_other_words_is_the_same() {
        for (left, right) in [
            ("1024Mi", "1Gi"),
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("10E", "10e18"),
        ] {
            assert!(same(left, right), "{left} {right}");
        }
        assert!(!same("1G", "1Gi"));
        assert_eq!(bytes("1Ki"), Some(1024));
        assert_eq!(bytes("1m"), Some(1));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        let long = "9".repeat(40);
        for text in ["", ".", "-1", "1 Gi", "Gi", "1gi", "1.2.3", "1e", "1e99", &long, "é"] {
            assert_eq!(milli(text), None, "{text}");
        }
    }
}
