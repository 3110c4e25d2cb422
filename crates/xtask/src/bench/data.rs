//! The data of W1: a yes or no, and 20 numbers that it hangs on.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// Numbers a row.
pub(super) const FEATURES: usize = 20;

/// What was written: how well the weights that made the data would do.
pub(super) struct About {
    /// The mean log loss of the true probabilities: nobody does better but by luck.
    pub(super) best_loss: f64,
}

/// Randomness: SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014, figure 17), and normal numbers by the polar method (Marsaglia and Bray, 1964).
struct Random {
    state: u64,
    spare: Option<f64>,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { state: seed, spare: None }
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (a, b) = (2.0 * self.share() - 1.0, 2.0 * self.share() - 1.0);
            let square = a * a + b * b;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(b * scale);
                return a * scale;
            }
        }
    }
}

/// Writes the rows twice: as CSV with a header, and as Vowpal Wabbit reads them.
///
/// Each number is normal, of deviation 1 and with 4 decimals; the logit of a yes is 0.3 and the
/// numbers times weights that are normal, of deviation 0.5.
pub(super) fn write(rows: u64, csv: &Path, vw: &Path) -> io::Result<About> {
    let mut random = Random::new(1);
    let weights: Vec<f64> = (0..FEATURES).map(|_| 0.5 * random.normal()).collect();
    let open = |path: &Path| File::create(path).map(|file| BufWriter::with_capacity(1 << 20, file));
    let (mut csv, mut vw) = (open(csv)?, open(vw)?);
    let names: Vec<String> = (0..FEATURES).map(|index| format!("x{index}")).collect();
    writeln!(csv, "y,{}", names.join(","))?;
    let (mut loss, mut cell) = (0.0, Vec::new());
    let (mut csv_line, mut vw_line) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        (csv_line.clear(), vw_line.clear());
        let mut logit = 0.3;
        for (name, weight) in names.iter().zip(&weights) {
            let rounded = (random.normal() * 10_000.0).round() as i64;
            logit += weight * (rounded as f64 / 10_000.0);
            cell.clear();
            decimal(rounded, &mut cell);
            csv_line.push(b',');
            csv_line.extend_from_slice(&cell);
            vw_line.push(b' ');
            vw_line.extend_from_slice(name.as_bytes());
            vw_line.push(b':');
            vw_line.extend_from_slice(&cell);
        }
        let probability = 1.0 / (1.0 + (-logit).exp());
        let is_yes = random.share() < probability;
        loss -= if is_yes { probability.ln() } else { (1.0 - probability).ln() };
        csv.write_all(if is_yes { b"1" } else { b"0" })?;
        csv.write_all(&csv_line)?;
        csv.write_all(b"\n")?;
        vw.write_all(if is_yes { b"1 |" } else { b"-1 |" })?;
        vw.write_all(&vw_line)?;
        vw.write_all(b"\n")?;
    }
    (csv.flush()?, vw.flush()?);
    Ok(About { best_loss: loss / rows.max(1) as f64 })
}

/// A number of ten thousandths, with its four decimals.
fn decimal(ten_thousandths: i64, to: &mut Vec<u8>) {
    if ten_thousandths < 0 {
        to.push(b'-');
    }
    let size = ten_thousandths.unsigned_abs();
    let digit = |value: u64| b'0' + (value % 10) as u8;
    if size >= 100_000 {
        to.push(digit(size / 100_000));
    }
    to.extend([digit(size / 10_000), b'.']);
    to.extend([digit(size / 1000), digit(size / 100), digit(size / 10), digit(size)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_they_are_read() {
        for value in [0, 1, -1, 12_345, -9_999, 100_000, -123_456] {
            let mut text = Vec::new();
            decimal(value, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), format!("{:.4}", value as f64 / 1e4));
        }
    }

    #[test]
    fn normal_numbers_have_deviation_one() {
        let mut random = Random::new(7);
        let numbers: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = numbers.iter().sum::<f64>() / 1e5;
        let square = numbers.iter().map(|number| number * number).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.02, "{mean} {square}");
    }
}
