//! Rows of a memory-mapped npy file as points.

use super::RowSource;
use crate::data::MappedRows;

impl RowSource for MappedRows {
    fn replicas(&self) -> usize {
        self.shape().0
    }

    fn rows(&self) -> usize {
        self.shape().1
    }

    fn dim(&self) -> usize {
        self.shape().2
    }

    fn is_f32(&self) -> bool {
        MappedRows::is_f32(self)
    }

    fn read(&self, replica: usize, row: usize, to: &mut [f64]) -> Result<(), String> {
        MappedRows::read(self, replica, row, to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::backend::pairwise::{Form, Metric, PairFunction, Pairwise, Points};
    use crate::data::write_npy;

    #[test]
    fn a_mapped_file_gives_the_bits_of_its_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let x: Vec<f32> = (0..2 * 90 * 3).map(|n| ((n * 37) % 101) as f32 / 7.0).collect();
        write_npy(&path, &[2, 90, 3], &x).unwrap();
        let mapped = MappedRows::open(&path).unwrap();
        assert_eq!((mapped.shape(), mapped.is_f32()), ((2, 90, 3), true));
        let wide = folder.path().join("wide.npy");
        write_npy(&wide, &[2, 1], &[0.1f64, 0.2]).unwrap();
        assert!(!MappedRows::open(&wide).unwrap().is_f32());
        let points = Points::from_source(&mapped).unwrap();
        let expected = Points::new(&x, 3).unwrap().replicas(2).unwrap();
        let cpu = Cpu::new(2).unwrap();
        for form in [Form::Direct, Form::Centered, Form::F64] {
            let sums = |points: &Points| cpu.row_class_sums(points, None, PairFunction::Euclidean, form);
            assert_eq!(sums(&points), sums(&expected));
            let nearest = |points: &Points| cpu.nearest(points, None, Metric::Euclidean, 3, form);
            assert_eq!(nearest(&points), nearest(&expected));
        }
    }

    #[test]
    fn files_that_are_no_rows_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        assert!(MappedRows::open(&path).is_err());
        for shape in [&[12][..], &[0, 3], &[2, 2, 3, 1]] {
            let x = vec![1.0f32; shape.iter().product()];
            write_npy(&path, shape, &x).unwrap();
            let line = MappedRows::open(&path).err().unwrap().to_string();
            assert!(line.contains("expected rows x columns"), "{line}");
        }
        write_npy(&path, &[4, 3], &[1.0f32; 12]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 20, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(MappedRows::open(&path).is_err(), "{length} bytes");
        }
        std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
        let line = MappedRows::open(&path).err().unwrap().to_string();
        assert!(line.contains("found more"), "{line}");
    }
}
