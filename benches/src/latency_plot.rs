//! The latencies' percentiles as a picture.

use std::fmt::Write as _;

use crate::report::{PercentilePoint, Report};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 60.0;

/// Marks of the horizontal axis, on which each further nine is as far as the
/// one before.
const PERCENTILES: [(f64, &str); 7] = [
    (0.0, "0"),
    (50.0, "50 %"),
    (90.0, "90 %"),
    (99.0, "99 %"),
    (99.9, "99.9 %"),
    (99.99, "99.99 %"),
    (99.999, "99.999 %"),
];

/// Draws a report's percentiles as an SVG 1.1 document.
pub fn draw(report: &Report) -> String {
    let measured = &report.measured;
    let how = match &measured.schedule {
        Some(schedule) => format!(
            "open loop at {:.0} requests/s, from when each was due",
            schedule.rate
        ),
        None => format!("closed loop, {} connections", report.options.connections),
    };
    let subtitle = format!(
        "{how}; {} messages of {} B per request; {:.0} messages/s",
        report.options.messages,
        report.options.value_bytes + report.options.key_bytes,
        measured.messages_per_second,
    );
    draw_points(&measured.percentiles, "Latency by percentile", &subtitle)
}

fn draw_points(points: &[PercentilePoint], title: &str, subtitle: &str) -> String {
    let scale = Scale::of(points);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"17\">{}</text>\n\
         <text x=\"{LEFT}\" y=\"44\" fill=\"#555\">{}</text>\n",
        escaped(title),
        escaped(subtitle),
    );
    draw_axes(&mut out, &scale);
    let mut path = String::new();
    for point in points {
        let (x, y) = (scale.x(point.percentile), scale.y(point.ms));
        push(&mut path, format_args!("{x:.1},{y:.1} "));
    }
    push(
        &mut out,
        format_args!(
            "<polyline fill=\"none\" stroke=\"#0b63b8\" stroke-width=\"2\" points=\"{}\"/>\n</svg>\n",
            path.trim_end()
        ),
    );
    out
}

fn draw_axes(out: &mut String, scale: &Scale) {
    let bottom = HEIGHT - BOTTOM;
    for (percentile, label) in PERCENTILES {
        if nines(percentile) > scale.nines {
            break;
        }
        let x = scale.x(percentile);
        push(
            out,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n",
                bottom + 20.0
            ),
        );
    }
    for step in 0..=5 {
        let ms = scale.step * f64::from(step);
        let y = scale.y(ms);
        push(
            out,
            format_args!(
                "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                short(ms)
            ),
        );
    }
    push(
        out,
        format_args!(
            "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#555\">percentile of requests</text>\n\
             <text x=\"18\" y=\"{:.1}\" fill=\"#555\" transform=\"rotate(-90 18 {:.1})\">milliseconds</text>\n",
            HEIGHT - 14.0,
            HEIGHT / 2.0,
            HEIGHT / 2.0
        ),
    );
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a String cannot fail");
}

struct Scale {
    /// Number of nines at the right edge.
    nines: f64,
    /// Milliseconds between two lines; five of them reach the top.
    step: f64,
}

impl Scale {
    fn of(points: &[PercentilePoint]) -> Self {
        let last = points.last();
        let widest = points.iter().map(|point| nines(point.percentile));
        let most = last.map_or(1.0, |point| point.ms);
        Self {
            nines: widest.fold(2.0, f64::max),
            step: round_up(most / 5.0),
        }
    }

    fn x(&self, percentile: f64) -> f64 {
        let part = (nines(percentile) / self.nines).min(1.0);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ms: f64) -> f64 {
        HEIGHT - BOTTOM - ms / (5.0 * self.step) * (HEIGHT - TOP - BOTTOM)
    }
}

/// 90 % is one, 99 % two; at most six.
fn nines(percentile: f64) -> f64 {
    let rest = (1.0 - percentile / 100.0).max(1e-6);
    -rest.log10()
}

/// The next 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let value = value.max(1e-3);
    let power = 10_f64.powf(value.log10().floor());
    let digit = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|digit| digit * power >= value);
    digit.unwrap_or(10.0) * power
}

fn short(ms: f64) -> String {
    let text = format!("{ms:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<PercentilePoint> {
        [
            (0.0, 0.4),
            (50.0, 1.0),
            (99.0, 4.2),
            (99.9, 7.0),
            (100.0, 9.3),
        ]
        .map(|(percentile, ms)| PercentilePoint { percentile, ms })
        .to_vec()
    }

    /// Each tag that is opened is closed, attributes are quoted, and no text
    /// holds what would be a tag.
    fn assert_well_formed(svg: &str) {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = svg;
        while let Some(start) = rest.find('<') {
            assert!(!rest[..start].contains('>'), "{svg}");
            let end = rest.find('>').expect("a tag ends");
            let tag = &rest[start + 1..end];
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            assert!(!tag.contains('<'), "{tag}");
            let name = tag
                .trim_start_matches('/')
                .split([' ', '/'])
                .next()
                .unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            rest = &rest[end + 1..];
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn well_formed_also_with_odd_text_and_without_points() {
        assert_well_formed(&draw_points(&points(), "a < b & c > d", "x"));
        assert_well_formed(&draw_points(&[], "nothing", ""));
    }

    #[test]
    fn all_points_are_inside() {
        let points = points();
        let scale = Scale::of(&points);
        for point in &points {
            let (x, y) = (scale.x(point.percentile), scale.y(point.ms));
            assert!((LEFT..=WIDTH - RIGHT).contains(&x), "{x}");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
        }
        assert!((scale.step - 2.0).abs() < 1e-9);
    }
}
