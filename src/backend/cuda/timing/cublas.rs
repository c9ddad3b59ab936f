//! cuBLAS, whose products `bench` times beside ours. It is loaded when somebody asks for it, and nothing else needs it.
//!
//! Products are of f32 in full precision: the default math mode, in which cuBLAS uses no TF32. They are sent to the default stream.

use std::sync::Arc;

use cudarc::cublas::sys::{self, cublasHandle_t, cublasMath_t, cublasOperation_t, cublasStatus_t};

use super::super::driver::{Context, Memory, call};
use super::super::error::CudaError;
use super::gemm::{Gemm, RowMajor};

/// The functions that are asked of the library. The bindings panic where one is missing, so each is looked for first.
const SYMBOLS: [&str; 6] = [
    "cublasCreate_v2",
    "cublasDestroy_v2",
    "cublasGetVersion_v2",
    "cublasSetMathMode",
    "cublasSgemm_v2",
    "cublasSgemmStridedBatched",
];

/// See the [module](self).
pub(crate) struct Cublas {
    context: Arc<Context>,
    handle: cublasHandle_t,
    /// Its version: major, minor, patch.
    pub(crate) version: (i32, i32, i32),
}

/// The result of a call that was to do `what`.
fn done(what: &str, status: cublasStatus_t) -> Result<(), CudaError> {
    if status == cublasStatus_t::CUBLAS_STATUS_SUCCESS {
        return Ok(());
    }
    Err(CudaError::Call {
        what: format!("cuBLAS, {what}"),
        error: format!("{status:?}"),
    })
}

impl Cublas {
    /// # Errors
    /// [`CudaError::NoCublas`] where there is none or one without a function that is needed, [`CudaError::Call`].
    pub(super) fn load(context: &Arc<Context>) -> Result<Cublas, CudaError> {
        // SAFETY: it tries to load a library by name; loading cuBLAS has no side effect that this program could see.
        if !unsafe { sys::is_culib_present() } {
            return Err(CudaError::NoCublas { missing: None });
        }
        // SAFETY: the library is there.
        let library = unsafe { sys::culib() };
        for name in SYMBOLS {
            // SAFETY: the address is not called, only asked for.
            if unsafe { library.get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err() {
                return Err(CudaError::NoCublas { missing: Some(name) });
            }
        }
        context.enter().map_err(call("cuBLAS, entering the device"))?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: it writes one handle, for the context that was entered; given back when it is dropped.
        done("starting it", unsafe { sys::cublasCreate_v2(&mut handle) })?;
        let mut cublas = Cublas {
            context: context.clone(),
            handle,
            version: (0, 0, 0),
        };
        let mut version = 0;
        // SAFETY: the handle is live; it writes one number.
        done("asking for its version", unsafe {
            sys::cublasGetVersion_v2(handle, &mut version)
        })?;
        cublas.version = parts(version);
        // SAFETY: the handle is live.
        done("turning TF32 off", unsafe {
            sys::cublasSetMathMode(handle, cublasMath_t::CUBLAS_DEFAULT_MATH)
        })?;
        Ok(cublas)
    }

    /// A product that is ready to run: its operands go to the device, as they lie here.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`], [`CudaError::Call`].
    pub(crate) fn peer(&self, product: RowMajor, a: &[f32], b: &[f32]) -> Result<Peer<'_>, CudaError> {
        let memory = |name: &str, values: &[f32]| {
            let memory = Memory::new(&self.context, name, 4 * values.len())?;
            memory.write(values)?;
            Ok(memory)
        };
        let [_, _, results] = product.lengths();
        Ok(Peer {
            cublas: self,
            product,
            operands: [
                memory("cuBLAS's first operand", a)?,
                memory("cuBLAS's second operand", b)?,
                Memory::new(&self.context, "cuBLAS's result", 4 * results)?,
            ],
        })
    }

    /// C = op(A) op(B) in f32, of operands that lie as hosts see them.
    ///
    /// # Errors
    /// [`CudaError::Call`] for operands that are too small, sizes that cuBLAS cannot count to, and what cuBLAS refuses.
    fn multiply(&self, product: &RowMajor, [a, b, c]: [&Memory; 3]) -> Result<(), CudaError> {
        let refused = |error: &str| CudaError::Call {
            what: "cuBLAS, multiplying".to_string(),
            error: error.to_string(),
        };
        let lengths = product.lengths();
        if lengths
            .iter()
            .zip([a, b, c])
            .any(|(&numbers, memory)| 4 * numbers > memory.bytes())
        {
            return Err(refused("an operand is smaller than the product needs"));
        }
        let Gemm {
            transposed,
            m,
            n,
            k,
            leading,
            strides,
            replicas,
        } = product.in_columns();
        let int = |value: usize| i32::try_from(value).map_err(|_| refused("a size is beyond 32 bits"));
        let stride = |value: usize| i64::try_from(value).map_err(|_| refused("a size is beyond 64 bits"));
        let (m, n, k, replicas) = (int(m)?, int(n)?, int(k)?, int(replicas)?);
        let [lda, ldb, ldc] = [int(leading[0])?, int(leading[1])?, int(leading[2])?];
        let [of_a, of_b, of_c] = [stride(strides[0])?, stride(strides[1])?, stride(strides[2])?];
        let [first, second] = transposed.map(|transposed| match transposed {
            true => cublasOperation_t::CUBLAS_OP_T,
            false => cublasOperation_t::CUBLAS_OP_N,
        });
        let (one, zero) = (1f32, 0f32);
        // In columns B comes first.
        let (to_a, to_b, to_c) = (
            b.address() as *const f32,
            a.address() as *const f32,
            c.address() as *mut f32,
        );
        self.context.enter().map_err(call("cuBLAS, entering the device"))?;
        // SAFETY: the handle is live, the factors are the host's and are read before the call returns, and the operands have the numbers
        // that these sizes reach, as was checked above; their memory is freed by a call that waits for the product.
        let status = unsafe {
            if replicas == 1 {
                sys::cublasSgemm_v2(
                    self.handle,
                    first,
                    second,
                    m,
                    n,
                    k,
                    &one,
                    to_a,
                    lda,
                    to_b,
                    ldb,
                    &zero,
                    to_c,
                    ldc,
                )
            } else {
                sys::cublasSgemmStridedBatched(
                    self.handle,
                    first,
                    second,
                    m,
                    n,
                    k,
                    &one,
                    to_a,
                    lda,
                    of_a,
                    to_b,
                    ldb,
                    of_b,
                    &zero,
                    to_c,
                    ldc,
                    of_c,
                    replicas,
                )
            }
        };
        done("multiplying", status)
    }
}

/// A product of cuBLAS with its operands on the device.
pub(crate) struct Peer<'a> {
    cublas: &'a Cublas,
    product: RowMajor,
    operands: [Memory; 3],
}

impl Peer<'_> {
    /// Sends it to the default stream.
    ///
    /// # Errors
    /// [`CudaError::Call`].
    pub(crate) fn run(&self) -> Result<(), CudaError> {
        self.cublas.multiply(&self.product, self.operands.each_ref())
    }
}

/// The parts of a version: 120103 is 12.1.3, as 110601 is 11.6.1.
fn parts(version: i32) -> (i32, i32, i32) {
    (version / 10_000, version / 100 % 100, version % 100)
}

impl Drop for Cublas {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: made in `load`, destroyed only here.
            let _ = unsafe { sys::cublasDestroy_v2(self.handle) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn a_version_has_three_parts() {
        assert_eq!(parts(120_103), (12, 1, 3));
        assert_eq!(parts(130_200), (13, 2, 0));
    }
}
