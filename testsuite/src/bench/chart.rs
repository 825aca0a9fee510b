//! A [`Report`] as a bar chart in SVG: for each program the translated one and qemu-user as multiples of native time,
//! on a logarithmic scale.

use super::{Report, Row};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const TRANSLATED: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const QEMU: RGBColor = RGBColor(0xc8, 0xc8, 0xc8);
const TEXT: RGBColor = RGBColor(0x33, 0x33, 0x33);
// Pixels: height of a program's two bars with a gap, of the head, of the foot; of names at the left; of all.
const ROW: i32 = 22;
const HEAD: i32 = 60;
const FOOT: i32 = 36;
const LEFT: i32 = 150;
const WIDTH: i32 = 900;
// Left and right end of the scale.
const LOW: f64 = 0.5;
const HIGH: f64 = 64.0;

/// The text of the chart of one instruction set.
pub fn svg(report: &Report) -> Result<String, String> {
    let mut text = String::new();
    draw(&mut text, &report.rows).map_err(|e| format!("drawing the chart: {e}"))?;
    Ok(text)
}

/// Horizontal place of a ratio.
fn x(ratio: f64) -> i32 {
    let share = (ratio.clamp(LOW, HIGH) / LOW).ln() / (HIGH / LOW).ln();
    LEFT + (share * f64::from(WIDTH - LEFT - 60)) as i32
}

fn draw(text: &mut String, rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let bottom = HEAD + ROW * rows.len() as i32;
    let area = SVGBackend::with_string(text, (WIDTH as u32, (bottom + FOOT) as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let style =
        |size: i32, h: HPos, v: VPos| ("sans-serif", size).into_font().color(&TEXT).pos(Pos::new(h, v));
    let label = |s: &str, size: i32, h: HPos, at: (i32, i32)| {
        area.draw(&Text::new(s.to_string(), at, style(size, h, VPos::Center)))
    };
    label("Run time as a multiple of native x86-64 (less is better)", 18, HPos::Left, (LEFT, 16))?;
    for (name, colour, at) in [("translated by xlate", TRANSLATED, LEFT), ("qemu-user", QEMU, LEFT + 170)] {
        area.draw(&Rectangle::new([(at, 32), (at + 12, 44)], colour.filled()))?;
        label(name, 15, HPos::Left, (at + 18, 39))?;
    }
    let mut tick = LOW;
    while tick <= HIGH {
        let native = tick == 1.0;
        let line =
            ShapeStyle { color: TEXT.mix(if native { 1.0 } else { 0.15 }), filled: false, stroke_width: 1 };
        area.draw(&PathElement::new(vec![(x(tick), HEAD - 6), (x(tick), bottom)], line))?;
        label(&format!("{tick} ×"), 14, HPos::Center, (x(tick), bottom + 14))?;
        tick *= 2.0;
    }
    for (i, row) in rows.iter().enumerate() {
        let top = HEAD + ROW * i as i32;
        label(&row.program, 15, HPos::Right, (LEFT - 8, top + 9))?;
        for (ratio, colour, y) in [(row.ratio(), TRANSLATED, top), (row.qemu_ratio(), QEMU, top + 9)] {
            area.draw(&Rectangle::new([(x(LOW), y), (x(ratio), y + 9)], colour.filled()))?;
            label(&format!("{ratio:.1}"), 12, HPos::Left, (x(ratio) + 4, y + 5))?;
        }
    }
    area.present()?;
    drop(area);
    Ok(())
}
