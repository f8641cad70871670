//! Line charts as SVG: evenly spaced points along one axis, values along the other.

use std::fmt::Write;

use crate::number::float_len;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 180.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 56.0;

/// Ink for axes and words, and for lines that only help the eye.
const INK: &str = "#24292f";
const FAINT: &str = "#d8dee4";

/// How values are spread over the height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers of ten.
    Decades,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) along: &'static str,
    pub(super) upward: &'static str,
    /// The names of the points.
    pub(super) points: Vec<String>,
    pub(super) scale: Scale,
    pub(super) lines: Vec<Line>,
    /// How a value on the axis is written.
    pub(super) spelled: fn(f64) -> String,
}

/// One line: a value for each point, where there is one.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// The values at the lower and the upper end of the axis, and those that are marked.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    marks: Vec<f64>,
}

impl Chart {
    pub(super) fn svg(&self) -> String {
        let axis = Axis::of(self);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"{INK}\" role=\"img\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        );
        svg += &words(LEFT, 24.0, "start", &self.title).replace("<text", "<text font-size=\"15\"");
        self.draw_axis(&mut svg, &axis);
        self.draw_points(&mut svg);
        for (place, line) in self.lines.iter().enumerate() {
            self.draw_line(&mut svg, &axis, line);
            draw_legend(&mut svg, line, TOP + 20.0 * float_len(place));
        }
        svg + "</svg>\n"
    }

    fn draw_axis(&self, svg: &mut String, axis: &Axis) {
        let end = WIDTH - RIGHT;
        for &mark in &axis.marks {
            let y = axis.height_of(mark);
            writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{end}\" stroke=\"{FAINT}\"/>").ok();
            *svg += &words(LEFT - 8.0, y + 4.0, "end", &(self.spelled)(mark));
        }
        let middle = f64::midpoint(TOP, HEIGHT - BOTTOM);
        let turned = format!("<text transform=\"rotate(-90 16 {middle})\"");
        *svg += &words(16.0, middle, "middle", self.upward).replace("<text", &turned);
    }

    fn draw_points(&self, svg: &mut String) {
        let base = HEIGHT - BOTTOM;
        for (place, point) in self.points.iter().enumerate() {
            *svg += &words(self.across(place), base + 20.0, "middle", point);
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        *svg += &words(middle, base + 42.0, "middle", self.along);
    }

    fn draw_line(&self, svg: &mut String, axis: &Axis, line: &Line) {
        let places = line.values.iter().enumerate();
        let places: Vec<(f64, f64)> = places
            .filter_map(|(place, value)| Some((self.across(place), axis.height_of((*value)?))))
            .collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let colour = line.colour;
        let path = path.join("L");
        writeln!(svg, "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")
            .ok();
        for (x, y) in places {
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>").ok();
        }
    }

    fn across(&self, place: usize) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        let steps = float_len(self.points.len().max(1));
        LEFT + width * (float_len(place) + 0.5) / steps
    }
}

fn draw_legend(svg: &mut String, line: &Line, y: f64) {
    let x = WIDTH - RIGHT + 16.0;
    let colour = line.colour;
    writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>").ok();
    *svg += &words(x + 22.0, y + 6.0, "start", &line.name);
}

fn words(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}

impl Axis {
    fn of(chart: &Chart) -> Self {
        let values = chart.lines.iter().flat_map(|line| line.values.iter().flatten().copied());
        let positive: Vec<f64> = values.filter(|value| *value > 0.0).collect();
        let greatest = positive.iter().copied().fold(1.0, f64::max);
        let least = positive.iter().copied().fold(greatest, f64::min);
        match chart.scale {
            Scale::Linear => Self::linear(greatest),
            Scale::Decades => Self::decades(least, greatest),
        }
    }

    /// From zero in at most six steps of 1, 2 or 5 times a power of ten.
    fn linear(greatest: f64) -> Self {
        let power = 10_f64.powf((greatest / 5.0).log10().floor());
        let enough = |step: &f64| greatest / step <= 6.0;
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(enough);
        let step = step.unwrap_or(10.0 * power);
        let marks = std::iter::successors(Some(0.0), |mark| Some(mark + step));
        let mut marks: Vec<f64> = marks.take_while(|mark| *mark < greatest).collect();
        let high = marks.last().map_or(step, |last| last + step);
        marks.push(high);
        Self { scale: Scale::Linear, low: 0.0, high, marks }
    }

    fn decades(least: f64, greatest: f64) -> Self {
        let low = 10_f64.powf(least.log10().floor());
        let marks = std::iter::successors(Some(low), |mark| Some(mark * 10.0));
        let mut marks: Vec<f64> = marks.take_while(|mark| *mark < greatest).collect();
        let high = marks.last().map_or(low * 10.0, |last| last * 10.0);
        marks.push(high);
        Self { scale: Scale::Decades, low, high, marks }
    }

    fn height_of(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => value / self.high,
            Scale::Decades => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        let base = HEIGHT - BOTTOM;
        base - part.clamp(0.0, 1.0) * (base - TOP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 0.01
    }

    #[test]
    fn a_linear_axis_has_few_round_marks_from_zero() {
        let axis = Axis::linear(87_000.0);
        assert_eq!(axis.marks, [0.0, 20_000.0, 40_000.0, 60_000.0, 80_000.0, 100_000.0]);
        assert!(near(axis.height_of(0.0), HEIGHT - BOTTOM));
        assert!(near(axis.height_of(100_000.0), TOP));
    }

    #[test]
    fn decades_enclose_all_values() {
        let axis = Axis::decades(350.0, 42_000.0);
        assert_eq!(axis.marks, [100.0, 1_000.0, 10_000.0, 100_000.0]);
        assert!(near(axis.height_of(100.0), HEIGHT - BOTTOM));
        assert!(near(axis.height_of(100_000.0), TOP));
    }

    #[test]
    fn a_missing_value_is_a_gap_and_not_a_zero() {
        let line = Line { name: "a<b".into(), colour: "#000", values: vec![Some(5.0), None] };
        let chart = Chart {
            title: "t".into(),
            along: "x",
            upward: "y",
            points: vec!["1".into(), "2".into()],
            scale: Scale::Linear,
            lines: vec![line],
            spelled: |value| value.to_string(),
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("a&lt;b"));
    }
}
