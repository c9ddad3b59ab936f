//! The copy of a panel in registers of eight numbers. AVX-512 uses it too: a transpose is all shuffles, and registers
//! of 16 have one port for them where those of eight have two.

#![expect(
    clippy::needless_range_loop,
    reason = "an iterator over registers by value is not compiled with their instructions but left as calls"
)]

use super::packing::{EIGHT, Panel};
use std::arch::x86_64::*;

/// Numbers in a cache line.
const LINE: usize = 16;
/// How far ahead of a transpose its lanes are asked for: they come from distant caches, on too many pages to be foreseen.
const AHEAD: usize = 4 * LINE;

/// See [`super::packing::pack`].
///
/// # Safety
/// AVX2 and FMA are present, the piece has contiguous rows or columns and can be read, and there is room for the copy.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn pack(panel: &Panel) {
    if panel.from.col_stride == 1 {
        // SAFETY: the caller's promise.
        return unsafe { copy_rows(panel) };
    }
    // The last strip's eights may stand out into the next row's first lanes, which the first strip puts right. So the
    // strips go from last to first.
    for first in (0..panel.width).step_by(EIGHT).rev() {
        // SAFETY: the caller's promise.
        unsafe { transpose_strip(panel, first) };
    }
}

/// Copies rows in order, eight by eight: whole eights, then one with a mask on what is read, then zeros. What stands
/// out is overwritten by the next row.
#[target_feature(enable = "avx2,fma")]
unsafe fn copy_rows(panel: &Panel) {
    let whole = panel.lanes / EIGHT * EIGHT;
    let rest = _mm256_set1_epi32((panel.lanes - whole) as i32);
    let mask = _mm256_cmpgt_epi32(rest, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    let (mut from, mut to) = (panel.from.ptr, panel.to);
    for _ in 0..panel.depth {
        for l in (0..whole).step_by(EIGHT) {
            // SAFETY: eight of the row's lanes.
            unsafe { _mm256_storeu_ps(to.add(l), _mm256_loadu_ps(from.add(l))) };
        }
        if whole < panel.width {
            // SAFETY: the mask keeps the load within the row.
            unsafe { _mm256_storeu_ps(to.add(whole), _mm256_maskload_ps(from.wrapping_add(whole), mask)) };
        }
        for l in (whole + EIGHT..panel.width).step_by(EIGHT) {
            // SAFETY: within the width, or up to seven past it.
            unsafe { _mm256_storeu_ps(to.add(l), _mm256_setzero_ps()) };
        }
        from = from.wrapping_add(panel.from.row_stride);
        to = to.wrapping_add(panel.width);
    }
}

/// Transposes the lanes `first..first + 8`, four rows at a time, in three rounds that interleave ever longer pieces.
/// With a, b, c ... the lanes, which are contiguous in the source, and 0, 1, 2 ... the rows of the panel:
///
/// ```text
/// source             a0 a1 a2 a3   b0 b1 b2 b3   c0 c1 c2 c3   ...
/// pairs of numbers   a0 b0 a1 b1   a2 b2 a3 b3   c0 d0 c1 d1   ...
/// pairs of pairs     a0 b0 c0 d0   a1 b1 c1 d1   ...           e0 f0 g0 h0 ...
/// halves             a0 b0 c0 d0 e0 f0 g0 h0 = row 0
/// ```
///
/// The last round is done first, while loading: a register takes four numbers of lane l and four of lane l + 4. Past
/// the last lane it is repeated.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose_strip(panel: &Panel, first: usize) {
    let last = panel.lanes - 1;
    let mut lanes = [panel.from.ptr; EIGHT];
    for (l, lane) in lanes.iter_mut().enumerate() {
        *lane = panel.from.at(0, (first + l).min(last));
    }
    let to = panel.to.wrapping_add(first);
    let fours = panel.depth / 4 * 4;
    for start in (0..fours).step_by(4) {
        if start.is_multiple_of(LINE) {
            for l in 0..EIGHT {
                _mm_prefetch::<_MM_HINT_T0>(lanes[l].wrapping_add(start + AHEAD).cast());
            }
        }
        let mut halves = [_mm256_setzero_ps(); 4];
        for l in 0..4 {
            // SAFETY: rows start..start + 4 of two lanes.
            halves[l] = unsafe {
                let low = _mm_loadu_ps(lanes[l].add(start));
                let high = _mm_loadu_ps(lanes[l + 4].add(start));
                _mm256_set_m128(high, low)
            };
        }
        let [a, b, c, d] = halves;
        let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let rows = [
            _mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
            _mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
            _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
            _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
        ];
        for p in 0..4 {
            // SAFETY: eight numbers from lane `first` of row start + p on; they stand out by seven at most.
            unsafe { _mm256_storeu_ps(to.add((start + p) * panel.width), rows[p]) };
        }
    }
    for p in fours..panel.depth {
        for (l, lane) in lanes.iter().enumerate() {
            // SAFETY: the same, number by number.
            unsafe { *to.add(p * panel.width + l) = *lane.add(p) };
        }
    }
}
