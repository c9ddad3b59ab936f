//! What is claimed of the product, for every instruction set that the machine has.

use super::*;
use proptest::prelude::*;

/// Rounding to nearest in f32: |round(x) - x| <= U |x|, or half the least positive number.
const U: f64 = 1.0 / (1u64 << 24) as f64;

/// A matrix inside a larger memory whose other numbers are NaN: one that leaks into a result shows.
#[derive(Clone, Debug)]
struct Matrix {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    start: usize,
    row_stride: usize,
    col_stride: usize,
}

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows { gap: usize },
    Columns { gap: usize },
    Sparse,
}

impl Matrix {
    fn new(rows: usize, columns: usize, layout: Layout, mut value: impl FnMut(usize, usize) -> f32) -> Matrix {
        let (row_stride, col_stride) = match layout {
            Layout::Rows { gap } => (columns + gap, 1),
            Layout::Columns { gap } => (1, rows + gap),
            Layout::Sparse => (2 * columns + 3, 2),
        };
        let start = 3;
        // Not one number after the last: an address sanitizer sees a read past the end.
        let last = rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * col_stride;
        let data = vec![f32::NAN; start + last + 1];
        let mut matrix = Matrix {
            data,
            rows,
            columns,
            start,
            row_stride,
            col_stride,
        };
        for i in 0..rows {
            for j in 0..columns {
                let at = matrix.index(i, j);
                matrix.data[at] = value(i, j);
            }
        }
        matrix
    }

    fn index(&self, i: usize, j: usize) -> usize {
        self.start + i * self.row_stride + j * self.col_stride
    }

    fn get(&self, i: usize, j: usize) -> f32 {
        self.data[self.index(i, j)]
    }

    fn view(&self) -> MatRef {
        // Not `&self.data[self.start]`: the pointer must reach the other elements.
        MatRef {
            ptr: self.data.as_ptr().wrapping_add(self.start),
            row_stride: self.row_stride,
            col_stride: self.col_stride,
        }
    }
}

/// A B, or C + A B for `old` = C, with a gap between the rows of C that must stay as it is.
fn product(isa: Isa, a: &Matrix, b: &Matrix, old: Option<&Matrix>) -> Matrix {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let gap = 5;
    let mut c = Matrix::new(m, n, Layout::Rows { gap }, |i, j| {
        old.map_or(f32::NAN, |old| old.get(i, j))
    });
    c.data
        .iter_mut()
        .enumerate()
        .for_each(|(at, c)| *c = if c.is_nan() { at as f32 } else { *c });
    let before = c.clone();
    let mut workspace = Workspace::new();
    workspace.reserve(m, k, n);
    let bytes = workspace.bytes();
    let view = MatMut {
        ptr: c.data.as_mut_ptr().wrapping_add(c.start),
        row_stride: c.row_stride,
    };
    let product = Product {
        isa,
        m,
        k,
        n,
        a: a.view(),
        b: b.view(),
        c: view,
        accumulate: old.is_some(),
    };
    // SAFETY: `isa` comes from `Isa::available`; the views are within their memory.
    unsafe { product.run(&mut workspace) };
    assert_eq!(workspace.bytes(), bytes, "the product allocated");
    for at in 0..c.data.len() {
        let inside = at >= c.start && (at - c.start) / (n + gap) < m && (at - c.start) % (n + gap) < n;
        assert!(inside || c.data[at] == before.data[at], "wrote outside of C");
    }
    c
}

/// One element by the definition in the module's documentation.
fn by_definition(isa: Isa, a: &Matrix, b: &Matrix, old: Option<&Matrix>, i: usize, j: usize) -> f32 {
    let k = a.columns;
    let mut blocks = (0..k).step_by(block_depth(k).max(1)).map(|start| {
        (start..k.min(start + block_depth(k))).fold(0.0f32, |sum, p| match isa {
            Isa::Portable => sum + a.get(i, p) * b.get(p, j),
            Isa::Avx2 | Isa::Avx512 => a.get(i, p).mul_add(b.get(p, j), sum),
        })
    });
    let Some(first) = blocks.next() else {
        return old.map_or(0.0, |old| old.get(i, j));
    };
    let sum = blocks.fold(first, |sum, block| sum + block);
    old.map_or(sum, |old| old.get(i, j) + sum)
}

/// Checks the bits of every element against the definition and its value against f64.
fn check(isa: Isa, a: &Matrix, b: &Matrix, old: Option<&Matrix>) -> Matrix {
    let c = product(isa, a, b, old);
    let k = a.columns;
    for i in 0..a.rows {
        for j in 0..b.columns {
            let got = c.get(i, j);
            let expected = by_definition(isa, a, b, old, i, j);
            assert_eq!(got.to_bits(), expected.to_bits(), "{isa} ({i}, {j}): {got} {expected}");
            let start = old.map_or(0.0, |old| f64::from(old.get(i, j)));
            let terms = || (0..k).map(|p| f64::from(a.get(i, p)) * f64::from(b.get(p, j)));
            let (exact, size) = (
                start + terms().sum::<f64>(),
                start.abs() + terms().map(f64::abs).sum::<f64>(),
            );
            // Each of the k products and of the sums may also fall below the normal numbers.
            let underflow = 2.0 * (k + 1) as f64 * f64::from(f32::from_bits(1));
            let bound = chain_length(k) as f64 * U * size + underflow;
            assert!(
                (f64::from(got) - exact).abs() <= bound,
                "{isa} ({i}, {j}): {got} {exact} {bound}"
            );
        }
    }
    c
}

/// A stream of numbers from a seed.
fn numbers(seed: u64, from_bits: impl Fn(u64) -> f32) -> impl FnMut(usize, usize) -> f32 {
    let mut state = seed;
    move |_, _| {
        // splitmix64 (Steele, Lea, Flood 2014)
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        from_bits(x ^ (x >> 31))
    }
}

/// Uniform in (-1, 1).
fn uniform(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Whole numbers of -8..8: their products and sums are exact.
fn whole(bits: u64) -> f32 {
    (bits % 16) as f32 - 8.0
}

/// Sixty binades on either side of 1.
fn huge_range(bits: u64) -> f32 {
    uniform(bits) * 2f32.powi((bits % 121) as i32 - 60)
}

/// Numbers whose products are around and below the least normal one.
fn denormal(bits: u64) -> f32 {
    uniform(bits) * 2f32.powi(-60 - (bits % 20) as i32)
}

fn layouts() -> impl Strategy<Value = Layout> {
    prop_oneof![
        (0..9usize).prop_map(|gap| Layout::Rows { gap }),
        (0..9usize).prop_map(|gap| Layout::Columns { gap }),
        Just(Layout::Sparse),
    ]
}

/// Mostly 0..=70, and sometimes a depth of several blocks.
fn depths() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0..=70usize, 1 => prop::sample::select(vec![255, 256, 257, 300, 513, 784])]
}

/// Shape, layouts of A and B, whether to accumulate, seed.
type Case = ((usize, usize, usize), (Layout, Layout), bool, u64);

fn cases() -> impl Strategy<Value = Case> {
    (
        (0..=70usize, depths(), 0..=70usize),
        (layouts(), layouts()),
        any::<bool>(),
        any::<u64>(),
    )
}

fn operands(case: &Case, kind: impl Fn(u64) -> f32 + Copy) -> (Matrix, Matrix, Matrix) {
    let &((m, k, n), (layout_a, layout_b), _, seed) = case;
    let a = Matrix::new(m, k, layout_a, numbers(seed, kind));
    let b = Matrix::new(k, n, layout_b, numbers(seed ^ 1, kind));
    (
        a,
        b,
        Matrix::new(m, n, Layout::Rows { gap: 0 }, numbers(seed ^ 2, kind)),
    )
}

fn check_case(case: &Case, kind: impl Fn(u64) -> f32 + Copy) {
    let (a, b, old) = operands(case, kind);
    for isa in Isa::available() {
        check(isa, &a, &b, case.2.then_some(&old));
    }
}

fn check_whole(case: &Case) {
    let (a, b, old) = operands(case, whole);
    for isa in Isa::available() {
        let c = product(isa, &a, &b, case.2.then_some(&old));
        for i in 0..a.rows {
            for j in 0..b.columns {
                let start = if case.2 { old.get(i, j) as i64 } else { 0 };
                let terms = (0..a.columns).map(|p| a.get(i, p) as i64 * b.get(p, j) as i64);
                assert_eq!(c.get(i, j) as i64, start + terms.sum::<i64>(), "{isa} ({i}, {j})");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_numbers_have_the_bits_of_the_definition_and_keep_the_bound(case in cases()) {
        check_case(&case, uniform);
    }

    #[test]
    fn numbers_of_all_sizes_have_the_bits_of_the_definition_and_keep_the_bound(case in cases()) {
        check_case(&case, huge_range);
        check_case(&case, denormal);
    }

    #[test]
    fn whole_numbers_are_exact(case in cases()) {
        check_whole(&case);
    }

    /// The bits of a product are those of the same rows and columns inside a larger one, however either lies in memory.
    #[test]
    fn a_product_has_the_same_bits_alone_and_inside_a_larger_one(
        (case, (above, below), (left, right)) in (cases(), (0..40usize, 0..300usize), (0..40usize, 0..100usize)),
        (layout_a, layout_b) in (layouts(), layouts()),
    ) {
        let ((m, k, n), _, accumulate, seed) = case;
        let (small_a, small_b, small_old) = operands(&case, uniform);
        let mut other = numbers(seed ^ 3, uniform);
        let mut inside = |small: &Matrix, i: usize, j: usize, top: usize, left: usize| {
            let within = i >= top && i - top < small.rows && j >= left && j - left < small.columns;
            if within { small.get(i - top, j - left) } else { other(i, j) }
        };
        let a = Matrix::new(above + m + below, k, layout_a, |i, p| inside(&small_a, i, p, above, 0));
        let b = Matrix::new(k, left + n + right, layout_b, |p, j| inside(&small_b, p, j, 0, left));
        let rows = Layout::Rows { gap: 0 };
        let old = Matrix::new(a.rows, b.columns, rows, |i, j| inside(&small_old, i, j, above, left));
        for isa in Isa::available() {
            let alone = product(isa, &small_a, &small_b, accumulate.then_some(&small_old));
            let beside = product(isa, &a, &b, accumulate.then_some(&old));
            for i in 0..m {
                for j in 0..n {
                    let (alone, beside) = (alone.get(i, j), beside.get(above + i, left + j));
                    prop_assert_eq!(alone.to_bits(), beside.to_bits(), "{} ({}, {})", isa, i, j);
                }
            }
        }
    }

    /// Both products keep their bounds, so they differ by no more than the two together.
    #[test]
    fn a_second_opinion_agrees(case in cases()) {
        let ((m, k, n), ..) = case;
        let (a, b, _) = operands(&case, uniform);
        let mut other = vec![0.0f32; m * n];
        let (va, vb) = (a.view(), b.view());
        // SAFETY: the views are within their memory, and `other` has m rows of n.
        unsafe {
            matrixmultiply::sgemm(
                m, k, n, 1.0,
                va.ptr, va.row_stride as isize, va.col_stride as isize,
                vb.ptr, vb.row_stride as isize, vb.col_stride as isize,
                0.0, other.as_mut_ptr(), n as isize, 1,
            );
        }
        for isa in Isa::available() {
            let c = product(isa, &a, &b, None);
            for i in 0..m {
                for j in 0..n {
                    let size: f64 = (0..k).map(|p| f64::from(a.get(i, p) * b.get(p, j)).abs()).sum();
                    // A serial chain of k rounded products, one multiplication by alpha, one term of second order.
                    let chain = chain_length(k) + k + 2;
                    let difference = f64::from(c.get(i, j)) - f64::from(other[i * n + j]);
                    prop_assert!(difference.abs() <= chain as f64 * U * size, "{} ({}, {})", isa, i, j);
                }
            }
        }
    }
}

/// Shapes that cross the borders of every loop, which random small ones do not.
#[test]
fn shapes_that_cross_every_block_are_exact_and_have_the_bits_of_the_definition() {
    let (rows, columns) = (Layout::Rows { gap: 0 }, Layout::Columns { gap: 0 });
    for (shape, layouts) in [
        // Two blocks of columns and two spans of k, with B copied by transposing and not at all.
        ((5, 260, 1040), (rows, columns)),
        ((3, 260, 1030), (columns, rows)),
        // A copied by transposing, in more than one strip.
        ((27, 20, 300), (rows, rows)),
        // B copied because it is read often, and because its rows are a page apart.
        ((230, 30, 70), (columns, rows)),
        ((15, 20, 1024), (rows, rows)),
        // More rows and columns than are summed apart at a time.
        ((1030, 260, 2), (rows, columns)),
        ((2, 260, 515), (rows, rows)),
        ((1, 512, 600), (columns, columns)),
        // The skinny ones of the experiments.
        ((256, 784, 20), (rows, columns)),
        ((20, 256, 784), (columns, rows)),
        ((2, 256, 20), (columns, rows)),
        ((1, 784, 1), (rows, columns)),
    ] {
        for accumulate in [false, true] {
            let case = (shape, layouts, accumulate, 11);
            // Whole numbers, where the definition gives the exact result, then others.
            for kind in [whole, uniform] {
                let (a, b, old) = operands(&case, kind);
                for isa in Isa::available() {
                    let c = product(isa, &a, &b, accumulate.then_some(&old));
                    for i in (0..a.rows).step_by(11).chain([a.rows - 1]) {
                        for j in (0..b.columns).step_by(13).chain([b.columns - 1]) {
                            let expected = by_definition(isa, &a, &b, accumulate.then_some(&old), i, j);
                            assert_eq!(c.get(i, j).to_bits(), expected.to_bits(), "{isa} {shape:?} ({i}, {j})");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn nan_and_infinity_reach_their_row_and_column_and_nothing_else() {
    let (m, k, n) = (33, 40, 47);
    for isa in Isa::available() {
        for (poison, at) in [(f32::NAN, 0), (f32::INFINITY, 17), (f32::NEG_INFINITY, 39)] {
            let a = Matrix::new(m, k, Layout::Rows { gap: 1 }, |i, p| {
                if (i, p) == (20, at) { poison } else { 1.0 }
            });
            // Zero times infinity is not a number: column 3.
            let b = Matrix::new(k, n, Layout::Rows { gap: 1 }, |_, j| if j == 3 { 0.0 } else { 2.0 });
            let c = product(isa, &a, &b, None);
            for i in 0..m {
                for j in 0..n {
                    let got = c.get(i, j);
                    match (i, j) {
                        (20, 3) => assert!(got.is_nan()),
                        (20, _) => assert!(got == poison || got.is_nan() && poison.is_nan()),
                        (_, 3) => assert_eq!(got, 0.0),
                        _ => assert_eq!(got, 80.0),
                    }
                }
            }
        }
    }
}

#[test]
fn the_chain_stays_short() {
    assert_eq!((chain_length(0), chain_length(1), chain_length(20)), (1, 3, 22));
    assert_eq!(
        (chain_length(256), chain_length(257), chain_length(784)),
        (258, 139, 205)
    );
    assert!((0..=10_000).all(|k| chain_length(k) < 300));
    assert!((1..=10_000).all(|k| block_depth(k) <= MAX_BLOCK_DEPTH));
}

#[test]
fn a_workspace_is_a_few_megabytes_whatever_the_sizes() {
    let mut workspace = Workspace::new();
    workspace.reserve(1 << 40, 1 << 40, 1 << 40);
    assert!(workspace.bytes() < 4 << 20, "{}", workspace.bytes());
}

#[test]
fn slices_are_multiplied_or_refused() {
    let mut workspace = Workspace::new();
    let mut c = [1.0; 4];
    for isa in Isa::available() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        gemm_slices(isa, (2, 3, 2), &a, &b, &mut c, false, &mut workspace).unwrap();
        assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);
        gemm_slices(isa, (2, 3, 2), &a, &b, &mut c, true, &mut workspace).unwrap();
        assert_eq!(c, [8.0, 10.0, 20.0, 22.0]);
        let error = gemm_slices(isa, (2, 3, 2), &a, &b[1..], &mut c, true, &mut workspace).unwrap_err();
        assert_eq!(error.to_string(), "matrix product: b has 5 elements, expected 3 x 2");
        let overflow = gemm_slices(isa, (usize::MAX, 2, 0), &a, &[], &mut [], true, &mut workspace);
        assert!(matches!(overflow, Err(GemmError::Length { operand: "a", .. })));
    }
}
