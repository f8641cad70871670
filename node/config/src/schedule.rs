//! When something is to happen, as five cron fields in UTC.

use std::{fmt, ops::RangeInclusive, str::FromStr};

const MINUTE: u64 = 60_000;
const MINUTES_OF_DAY: u64 = 24 * 60;

/// Days within which every date that there is comes: eight years lie between two 29ths of February
/// around a century that is no leap year.
const HORIZON: u64 = 8 * 366;

/// Times that repeat: minute, hour, day of the month, month, day of the week, in UTC.
///
/// Each field is `*`, a number, a range `a-b`, either with a step `/n`, or a list of those with
/// commas. Months and days of the week may be English abbreviations; Sunday is 0 and 7. If both
/// days are restricted, either is enough, as in cron.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error(
        "five fields are wanted, as in `0 3 * * *`: minute, hour, day of the month, month, day of \
         the week"
    )]
    Fields,
    /// A part of a field is outside its range, or no number.
    #[error("{text} is no {what}: {least} to {most} is allowed")]
    Part {
        /// What was given.
        text: String,
        /// What the field says.
        what: &'static str,
        /// The least that it may say.
        least: u8,
        /// The most that it may say.
        most: u8,
    },
    /// A range that ends before it begins.
    #[error("{0} ends before it begins")]
    Backwards(String),
    /// A step that is none.
    #[error("{0} is no step: a whole number from 1 is wanted")]
    Step(String),
    /// No day is such.
    #[error("no month has such a day")]
    Never,
}

/// The numbers that a field allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    bits: u64,
    /// Whether it begins with a star: it then restricts nothing where days are put together.
    any: bool,
}

/// What a field may say.
struct Kind {
    what: &'static str,
    range: RangeInclusive<u8>,
    names: &'static [&'static str],
}

const MONTHS: &[&str] =
    &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const KINDS: [Kind; 5] = [
    Kind { what: "minute", range: 0..=59, names: &[] },
    Kind { what: "hour", range: 0..=23, names: &[] },
    Kind { what: "day of the month", range: 1..=31, names: &[] },
    Kind { what: "month", range: 1..=12, names: MONTHS },
    Kind { what: "day of the week", range: 0..=7, names: WEEKDAYS },
];

impl Schedule {
    /// The first such minute that begins after `millis`, both in Unix milliseconds; nothing only
    /// beyond the end of time.
    pub fn next_after(&self, millis: u64) -> Option<u64> {
        let minute = (millis / MINUTE).checked_add(1)?;
        let (today, from) = (minute / MINUTES_OF_DAY, minute % MINUTES_OF_DAY);
        let days = today..today.checked_add(HORIZON)?;
        let minutes = days.filter(|day| self.is_on(*day)).find_map(|day| {
            let first = if day == today { from } else { 0 };
            let minute = (first..MINUTES_OF_DAY).find(|minute| self.is_at(*minute))?;
            Some(day * MINUTES_OF_DAY + minute)
        });
        minutes?.checked_mul(MINUTE)
    }

    fn is_at(&self, minute_of_day: u64) -> bool {
        self.hours.allows(minute_of_day / 60) && self.minutes.allows(minute_of_day % 60)
    }

    fn is_on(&self, day: u64) -> bool {
        let (month, date) = month_and_date(day);
        // The first day of 1970 was a Thursday.
        let weekday = (day + 4) % 7;
        let (date, weekday) = (self.days.allows(date), self.weekdays.allows(weekday));
        let either = !self.days.any && !self.weekdays.any;
        self.months.allows(month) && if either { date || weekday } else { date && weekday }
    }
}

/// Month and day of the month, both from 1, of a day counted from 1 January 1970. The years are
/// counted from March, so that leap days come last (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
const fn month_and_date(day: u64) -> (u64, u64) {
    let of_era = (day + 719_468) % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, date)
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let fields: [&str; 5] = fields.try_into().map_err(|_other| ScheduleError::Fields)?;
        let field = |at: usize| Field::read(fields[at], &KINDS[at]);
        let mut weekdays = field(4)?;
        weekdays.bits |= weekdays.bits >> 7 & 1;
        let schedule = Self {
            text: fields.join(" "),
            minutes: field(0)?,
            hours: field(1)?,
            days: field(2)?,
            months: field(3)?,
            weekdays,
        };
        schedule.next_after(0).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }
}

impl Field {
    const fn allows(self, number: u64) -> bool {
        self.bits >> number & 1 == 1
    }

    fn read(text: &str, kind: &Kind) -> Result<Self, ScheduleError> {
        let bits = text.split(',').map(|part| kind.part(part)).sum_bits()?;
        Ok(Self { bits, any: text.starts_with('*') })
    }
}

/// Puts parts of a field together.
trait SumBits {
    fn sum_bits(self) -> Result<u64, ScheduleError>;
}

impl<I: Iterator<Item = Result<u64, ScheduleError>>> SumBits for I {
    fn sum_bits(mut self) -> Result<u64, ScheduleError> {
        self.try_fold(0, |all, part| Ok(all | part?))
    }
}

impl Kind {
    /// `*`, `n` or `a-b`, each with `/step` behind it or not.
    fn part(&self, text: &str) -> Result<u64, ScheduleError> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(read_step(step)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            None if range == "*" => (*self.range.start(), *self.range.end()),
            None => {
                let first = self.number(range)?;
                (first, if step.is_some() { *self.range.end() } else { first })
            }
            Some((first, last)) => (self.number(first)?, self.number(last)?),
        };
        if first > last {
            return Err(ScheduleError::Backwards(text.to_owned()));
        }
        let numbers = (first..=last).step_by(step.unwrap_or(1));
        Ok(numbers.fold(0, |bits, number| bits | 1 << number))
    }

    fn number(&self, text: &str) -> Result<u8, ScheduleError> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named = named.and_then(|at| u8::try_from(at).ok()).map(|at| at + self.range.start());
        named.or_else(|| digits(text)).filter(|number| self.range.contains(number)).ok_or_else(
            || ScheduleError::Part {
                text: text.to_owned(),
                what: self.what,
                least: *self.range.start(),
                most: *self.range.end(),
            },
        )
    }
}

fn read_step(text: &str) -> Result<usize, ScheduleError> {
    let step = digits(text).filter(|step| *step > 0);
    step.map(usize::from).ok_or_else(|| ScheduleError::Step(text.to_owned()))
}

/// A sign would be read as part of a number.
fn digits(text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl fmt::Display for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Schedule({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * MINUTE;
    /// Tuesday, 14 November 2023, 22:13:20 UTC.
    const NOW: u64 = 1_700_000_000_000;
    /// The midnight before.
    const TODAY: u64 = NOW / DAY * DAY;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Days from the 14th of November and minutes of the day of the next time after now.
    fn check(text: &str, days: u64, hour: u64, minute: u64) {
        let next = schedule(text).next_after(NOW);
        assert_eq!(next, Some(TODAY + days * DAY + (hour * 60 + minute) * MINUTE), "{text}");
    }

    #[test]
    fn the_next_time_is_the_first_that_all_fields_allow() {
        check("* * * * *", 0, 22, 14);
        check("0 3 * * *", 1, 3, 0);
        check("*/15 * * * *", 0, 22, 15);
        check("13 22 * * *", 1, 22, 13);
        check("5/20 * * * *", 0, 22, 25);
        check("0 23 * * *", 0, 23, 0);
        check("0 0 * * sun", 5, 0, 0);
        check("0 0 * * 7", 5, 0, 0);
        check("30 1-3,22 * * Mon-Fri", 0, 22, 30);
        check("0 0 1 * *", 17, 0, 0);
        check("0 0 1 jan *", 48, 0, 0);
        // 29 February 2024, and of 2096 the next is in 2104.
        check("0 0 29 2 *", 107, 0, 0);
        let end_of_2096 = 4_007_836_800_000;
        assert_eq!(schedule("0 0 29 2 *").next_after(end_of_2096), Some(4_233_686_400_000));
    }

    #[test]
    fn of_two_restricted_days_either_is_enough() {
        check("0 0 1 * sat", 4, 0, 0);
        check("0 0 15 * sat", 1, 0, 0);
        // A star with a step restricts nothing by itself: the first odd Saturday is the 25th.
        check("0 0 */2 * sat", 11, 0, 0);
    }

    #[test]
    fn a_time_is_never_the_present_minute_and_steps_through_all() {
        let schedule = schedule("*/30 */12 * * *");
        let mut at = TODAY;
        for expected in [30, 720, 750, 1_440] {
            at = schedule.next_after(at).unwrap();
            assert_eq!(at, TODAY + expected * MINUTE);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let lengths = |leap| [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut day = 0;
        for year in 1970..2110 {
            let leap = u64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
            for (month, length) in (1..).zip(lengths(leap)) {
                for date in 1..=length {
                    assert_eq!(month_and_date(day), (month, date), "{year}");
                    day += 1;
                }
            }
        }
    }

    #[test]
    fn bounds_are_taken_and_one_beyond_is_refused() {
        for text in ["0 0 1 1 0", "59 23 31 12 7", "0-59/59 0 * * *", "0 0 31 1,2 *"] {
            schedule(text);
        }
        for text in [
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 0 *",
            "* * * 13 *",
            "* * * * 8",
            "* * * *",
            "* * * * * *",
            "",
            "-1 * * * *",
            "+1 * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "1- * * * *",
            ", * * * *",
            "a * * * *",
            "* * * foo *",
            "0 0 30 2 *",
            "0 0 31 4,6,9,11 *",
            "@daily",
            "*/256 * * * *",
            "1/ * * * *",
        ] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_end_of_time_has_no_next() {
        assert_eq!(schedule("* * * * *").next_after(u64::MAX), None);
    }
}
