//! The run as bars: `connections.svg`, written by hand.

use std::fmt::Write;

use super::contender::Contender;
use super::options::Options;
use super::record::{Measured, Record};
use super::stats::{Spread, format_number};
use super::wrk::Load;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
const TITLE: f64 = 34.0;
/// Where the first panel begins.
pub(crate) const TOP: f64 = 10.0;

pub(crate) const OURS: &str = "#c2551b";
pub(crate) const THEIRS: &str = "#7d8aa0";
pub(crate) const WORKERS: &str = "#c9d0db";

/// Parts of one bar, from left to right, in the panel's unit.
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    /// Lengths and colours; none if there is nothing to show.
    pub(crate) parts: Vec<(f64, &'static str)>,
    pub(crate) spread: Option<Spread>,
}

/// Requests per second under both loads, and what a request over a new connection costs.
pub(crate) fn svg(options: &Options, record: &Record) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for load in [Load::NewConnection, Load::KeepAlive] {
        let title = format!("requests per second, {}", load.title());
        let bars = bars(options, |contender| {
            let all = record
                .of(contender)
                .map(|s| s.under(load).seen.requests_per_second);
            let spread = Spread::of(all);
            (
                spread
                    .iter()
                    .map(|s| (s.median, colour(contender)))
                    .collect(),
                spread,
            )
        });
        panel(&mut body, &mut y, &title, 0, &bars);
    }
    let title = "CPU ms per 1,000 requests, one new connection per request: primary, then workers";
    let bars = bars(options, |contender| {
        let median = |value: fn(&Measured) -> Option<f64>| {
            let all = record
                .of(contender)
                .filter_map(|s| value(&s.new_connection));
            Spread::of(all).map(|s| s.median)
        };
        let primary = median(|m| m.primary_cpu).map(|v| (v, colour(contender)));
        let workers = median(|m| Some(m.workers_cpu)).map(|v| (v, WORKERS));
        (primary.into_iter().chain(workers).collect(), None)
    });
    panel(&mut body, &mut y, title, 1, &bars);
    page(&body, y)
}

/// The whole picture, of the panels in `body` and as high as they are.
pub(crate) fn page(body: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn colour(contender: Contender) -> &'static str {
    if contender.is_tine() { OURS } else { THEIRS }
}

fn bars(
    options: &Options,
    value: impl Fn(Contender) -> (Vec<(f64, &'static str)>, Option<Spread>),
) -> Vec<Bar> {
    let bar = |contender: &Contender| {
        let (parts, spread) = value(*contender);
        Bar {
            name: contender.name(),
            parts,
            spread,
        }
    };
    options.contenders.iter().map(bar).collect()
}

/// One chart below the last; the line on a bar goes from the least to the most of the rounds.
pub(crate) fn panel(body: &mut String, y: &mut f64, title: &str, decimals: usize, bars: &[Bar]) {
    let end = |bar: &Bar| {
        let length: f64 = bar.parts.iter().map(|(v, _)| v).sum();
        bar.spread.map_or(length, |s| s.most.max(length))
    };
    let most = bars.iter().map(end).fold(0.0, f64::max);
    let scale = if most > 0.0 {
        (WIDTH - LEFT - RIGHT) / most
    } else {
        0.0
    };
    let _ = writeln!(
        body,
        "<text x=\"10\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
        *y + 18.0,
        escape(title)
    );
    *y += TITLE;
    for bar in bars {
        let middle = *y + BAR / 2.0;
        let text_y = middle + 4.0;
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{text_y:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            escape(bar.name)
        );
        let mut x = LEFT;
        for (value, colour) in &bar.parts {
            let width = value * scale;
            let _ = writeln!(
                body,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>",
                y = *y
            );
            x += width;
        }
        if let Some(spread) = bar.spread {
            let (from, to) = (LEFT + spread.least * scale, LEFT + spread.most * scale);
            let _ = writeln!(
                body,
                "<path d=\"M{from:.1} {middle:.1}H{to:.1}\" stroke=\"#222222\"/>"
            );
        }
        let numbers: Vec<_> = bar
            .parts
            .iter()
            .map(|(v, _)| format_number(*v, decimals))
            .collect();
        let label = if numbers.is_empty() {
            "failed".to_owned()
        } else {
            numbers.join(" + ")
        };
        let label_x = LEFT + end(bar) * scale + 6.0;
        let _ = writeln!(
            body,
            "<text x=\"{label_x:.1}\" y=\"{text_y:.1}\" fill=\"#444444\">{label}</text>"
        );
        *y += STEP;
    }
    *y += 12.0;
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{failed, visit};
    use super::*;

    fn plot(visits: Vec<super::super::record::Visit>) -> String {
        let only = "--only pm2,tine-rr".split(' ').map(str::to_owned);
        let options = Options::parse(&only.collect::<Vec<_>>()).unwrap().unwrap();
        svg(
            &options,
            &Record {
                rounds: vec![visits],
            },
        )
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_others_are_in_proportion() {
        let svg = plot(vec![
            visit(Contender::Pm2, 500.0, 80.0),
            visit(Contender::TineRr, 1000.0, 20.0),
        ]);
        let full = WIDTH - LEFT - RIGHT;
        assert_eq!(
            svg.matches(&format!("width=\"{full:.1}\"")).count(),
            2,
            "{svg}"
        );
        assert_eq!(
            svg.matches(&format!("width=\"{:.1}\"", full / 2.0)).count(),
            2,
            "{svg}"
        );
        assert!(svg.contains(">40.0 + 75.0</text>"));
    }

    #[test]
    fn a_contender_that_failed_keeps_its_line() {
        let svg = plot(vec![
            visit(Contender::Pm2, 500.0, 80.0),
            failed(Contender::TineRr, "target/release/tine is missing"),
        ]);
        assert_eq!(svg.matches(">failed</text>").count(), 3);
        assert_eq!(svg.matches(">tine-rr</text>").count(), 3);
        assert!(!svg.contains("NaN"));
    }
}
