//! Pictures of the documentation: lines over one axis, each in a field of its
//! own, because their units differ.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use plotters::prelude::*;

const WIDTH: u32 = 720;
const COLOUR: RGBColor = RGBColor(25, 118, 210);
/// Height of one field.
const HEIGHT: u32 = 150;

/// Points of one figure.
pub struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Lines over one axis.
pub struct Chart {
    axis: String,
    lines: Vec<Line>,
}

impl Line {
    /// Called as it is to be read, with its unit.
    pub fn new(name: &str, points: impl Iterator<Item = (f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points: points.collect(),
        }
    }
}

impl Chart {
    /// `axis` names what they are over.
    pub fn new(axis: &str, lines: Vec<Line>) -> Self {
        Self {
            axis: axis.to_owned(),
            lines,
        }
    }

    /// Draws it as SVG.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        self.draw(&mut text)
            .with_context(|| format!("cannot draw {}", path.display()))?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
        Ok(())
    }

    fn draw(&self, text: &mut String) -> Result<()> {
        let fields = u32::try_from(self.lines.len())?;
        let area = SVGBackend::with_string(text, (WIDTH, HEIGHT * fields)).into_drawing_area();
        area.fill(&WHITE)?;
        let places = area.split_evenly((self.lines.len(), 1));
        for (place, line) in places.iter().zip(&self.lines) {
            let most = |part: fn(&(f64, f64)) -> f64| {
                line.points.iter().map(part).fold(0.0, f64::max).max(1e-9)
            };
            let (right, top) = (most(|point| point.0), most(|point| point.1) * 1.1);
            let mut chart = ChartBuilder::on(place)
                .caption(&line.name, ("sans-serif", 14))
                .margin(8)
                .x_label_area_size(30)
                .y_label_area_size(52)
                .build_cartesian_2d(0.0..right, 0.0..top)?;
            chart
                .configure_mesh()
                .x_desc(&self.axis)
                .y_labels(4)
                .light_line_style(WHITE)
                .draw()?;
            chart.draw_series(LineSeries::new(line.points.iter().copied(), &COLOUR))?;
            let marks = line.points.iter().filter(|_| line.points.len() < 10);
            chart.draw_series(marks.map(|&point| Circle::new(point, 3, COLOUR.filled())))?;
        }
        area.present()?;
        Ok(())
    }
}
