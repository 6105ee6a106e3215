//! Line plots as SVG, written by hand: a page of them needs no library, no font and no script.
//!
//! Colours are names of CSS variables, so that light and dark are the page's business. What is under the mouse is shown
//! by CSS alone: each place on the x axis has a strip that is transparent until it is pointed at, and then shows a line
//! and the values there.

mod axis;
mod dots;
mod draw;

pub(super) use axis::{Axis, Scale};
pub(super) use dots::dots;
pub(super) use draw::draw;

/// Places on the x axis that a plot shows; more are put together.
pub(super) const PLACES_MAX: usize = 240;

/// A line of a plot.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) name: String,
    /// x ascending, and y; `None` where there is nothing to show, and the line is broken.
    pub(super) points: Vec<(f64, Option<f64>)>,
    /// Lowest and highest at some x: the range of the rounds.
    pub(super) band: Vec<(f64, f64, f64)>,
    /// Whether each point is marked: where there are few.
    pub(super) marked: bool,
}

impl Line {
    pub(super) fn new(name: impl Into<String>, points: Vec<(f64, Option<f64>)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.points.iter().all(|(_, y)| y.is_none())
    }
}

/// A plot: some lines over the same axes.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

impl Plot {
    pub(super) fn new(title: impl Into<String>, x: Axis, y: Axis, mut lines: Vec<Line>) -> Self {
        lines.retain(|line| !line.is_empty());
        Self { title: title.into(), x, y, lines }
    }

    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn xs(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x))
    }

    fn ys(&self) -> impl Iterator<Item = f64> {
        let bands = self.lines.iter().flat_map(|line| line.band.iter().flat_map(|(_, low, high)| [*low, *high]));
        self.lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y)).chain(bands)
    }
}

/// Puts neighbours together until there are no more than [`PLACES_MAX`], by `put`: the worst of them for latencies, their
/// mean for rates.
pub(super) fn thinned(points: &[(f64, Option<f64>)], put: fn(&[f64]) -> f64) -> Vec<(f64, Option<f64>)> {
    let each = points.len().div_ceil(PLACES_MAX).max(1);
    let groups = points.chunks(each).filter_map(|group| {
        let (x, _) = group.last()?;
        let values: Vec<f64> = group.iter().filter_map(|(_, y)| *y).collect();
        Some((*x, (!values.is_empty()).then(|| put(&values))))
    });
    groups.collect()
}

/// For [`thinned`].
pub(super) fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

/// For [`thinned`].
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
