//! The driver's functions behind safe ones: a context, memory, modules. Only a launch stays unsafe: its parameters are the caller's
//! promise, which `machine` makes.
//!
//! `libcuda` is loaded when the first of them is called; [`Context::open`] and [`devices`] ask first whether it is there, since
//! the bindings panic where it is not. Every handle lives in a type that gives it back.

use std::ffi::{CString, c_void};
use std::sync::Arc;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute, CUresult};

use super::error::{CudaError, OLDEST_DEVICE, OLDEST_DRIVER};
use super::symbols;

/// The driver's name of an error and its words.
pub(super) fn words(error: DriverError) -> String {
    let text = |found: Result<&std::ffi::CStr, DriverError>| found.map(|text| text.to_string_lossy().into_owned());
    match (text(error.error_name()), text(error.error_string())) {
        (Ok(name), Ok(string)) => format!("{string} ({name})"),
        _ => format!("error {}", error.0 as u32),
    }
}

/// An error of a call that was to do `what`.
pub(super) fn call(what: &str) -> impl Fn(DriverError) -> CudaError + '_ {
    move |error| CudaError::Call {
        what: what.to_string(),
        error: words(error),
    }
}

/// What there is to know about a device before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub ordinal: usize,
    /// The driver's name for it.
    pub name: String,
    /// Its compute capability.
    pub capability: (i32, i32),
    /// Its multiprocessors.
    pub multiprocessors: i32,
    /// Its memory in bytes.
    pub bytes: usize,
    /// Its second-level cache in bytes; 0 if it does not tell.
    pub cache_bytes: usize,
}

/// The CUDA version that the driver is for, and how many devices it has, at least one.
fn start() -> Result<((i32, i32), usize), CudaError> {
    // SAFETY: it tries to load a library by name; loading the driver has no side effect that this program could see.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoDriver);
    }
    symbols::check(symbols::VERSION)?;
    let mut version = 0;
    // SAFETY: it writes one number.
    unsafe { sys::cuDriverGetVersion(&mut version) }
        .result()
        .map_err(call("asking for the driver's version"))?;
    let version = (version / 1000, version % 1000 / 10);
    if version < OLDEST_DRIVER {
        return Err(CudaError::DriverTooOld { found: version });
    }
    symbols::check(symbols::ALL)?;
    match result::init() {
        Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => return Err(CudaError::NoDevice),
        other => other.map_err(call("starting the driver"))?,
    }
    let count = result::device::get_count().map_err(call("counting the devices"))?;
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok((version, count)),
        _ => Err(CudaError::NoDevice),
    }
}

fn describe(ordinal: usize) -> Result<(sys::CUdevice, Device), CudaError> {
    let what = format!("asking for device {ordinal}");
    let failed = call(&what);
    let device = result::device::get(ordinal as i32).map_err(&failed)?;
    // SAFETY: the driver has just given this device.
    let attribute = |attribute| unsafe { result::device::get_attribute(device, attribute) };
    let capability = (
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR).map_err(&failed)?,
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR).map_err(&failed)?,
    );
    let described = Device {
        ordinal,
        name: result::device::get_name(device).map_err(&failed)?,
        capability,
        multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).map_err(&failed)?,
        // SAFETY: as above.
        bytes: unsafe { result::device::total_mem(device) }.map_err(&failed)?,
        cache_bytes: attribute(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)
            .map_err(&failed)?
            .max(0) as usize,
    };
    Ok((device, described))
}

/// The CUDA version that the driver is for, and its devices.
///
/// # Errors
/// [`CudaError::NoDriver`], [`CudaError::DriverTooOld`], [`CudaError::NoDevice`], [`CudaError::Call`].
pub fn devices() -> Result<((i32, i32), Vec<Device>), CudaError> {
    let (version, count) = start()?;
    let devices = (0..count).map(|ordinal| describe(ordinal).map(|(_, device)| device));
    Ok((version, devices.collect::<Result<_, _>>()?))
}

/// A device in use: its primary context.
pub(super) struct Context {
    device: sys::CUdevice,
    handle: sys::CUcontext,
    pub(super) described: Device,
    /// The CUDA version that the driver is for.
    pub(super) driver: (i32, i32),
    /// Whether a launch is to say at once that its kernel failed: `CUDA_LAUNCH_BLOCKING=1`, which the driver reads, too.
    pub(super) blocking: bool,
}

// SAFETY: a context may be used by any thread that makes it current first, which `enter` does before every call.
unsafe impl Send for Context {}
// SAFETY: as above; the driver locks what its calls share.
unsafe impl Sync for Context {}

impl Context {
    /// # Errors
    /// As [`devices`], and [`CudaError::Ordinal`], [`CudaError::Capability`].
    pub(super) fn open(ordinal: usize) -> Result<Arc<Context>, CudaError> {
        let (driver, devices) = start()?;
        if ordinal >= devices {
            return Err(CudaError::Ordinal { ordinal, devices });
        }
        let (device, described) = describe(ordinal)?;
        if described.capability < OLDEST_DEVICE {
            return Err(CudaError::Capability {
                ordinal,
                name: described.name,
                found: described.capability,
            });
        }
        // SAFETY: the driver has just given this device; the context is released when it is dropped.
        let handle = unsafe { result::primary_ctx::retain(device) }.map_err(call("opening the device"))?;
        Ok(Arc::new(Context {
            device,
            handle,
            described,
            driver,
            blocking: std::env::var_os("CUDA_LAUNCH_BLOCKING").is_some_and(|word| word == "1"),
        }))
    }

    /// Makes it the calling thread's.
    pub(super) fn enter(&self) -> Result<(), DriverError> {
        // SAFETY: the context is retained as long as `self` lives.
        unsafe { result::ctx::set_current(self.handle) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained once in `open`. If the driver has failed there is nothing left to do about it.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// Numbers that lie in device memory as they lie in the host's.
pub(super) trait Plain: Copy + Default {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u32 {}
impl Plain for u64 {}

/// Memory of a device.
pub(super) struct Memory {
    context: Arc<Context>,
    address: sys::CUdeviceptr,
    bytes: usize,
}

impl Memory {
    /// That many bytes (of which there is at least one), all zero.
    ///
    /// # Errors
    /// [`CudaError::OutOfMemory`] with `name`, [`CudaError::Call`].
    pub(super) fn new(context: &Arc<Context>, name: &str, bytes: usize) -> Result<Memory, CudaError> {
        let failed = call("allocating memory");
        context.enter().map_err(&failed)?;
        let bytes = bytes.max(1);
        // SAFETY: the memory is filled below before anything reads it.
        let address = match unsafe { result::malloc_sync(bytes) } {
            Err(DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let (free, total) = result::mem_get_info().map_err(&failed)?;
                return Err(CudaError::OutOfMemory {
                    buffer: name.to_string(),
                    bytes,
                    free,
                    total,
                });
            }
            other => other.map_err(&failed)?,
        };
        let memory = Memory {
            context: context.clone(),
            address,
            bytes,
        };
        // SAFETY: the allocation has that many bytes.
        unsafe { result::memset_d8_sync(address, 0, bytes) }.map_err(&failed)?;
        Ok(memory)
    }

    /// Where it is, for a kernel's parameter.
    pub(super) fn address(&self) -> u64 {
        self.address
    }

    /// How much there is.
    #[cfg(feature = "verify")]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Has the device set every byte, after all that was launched; does not wait for it.
    #[cfg(feature = "verify")]
    pub(super) fn overwrite(&self, value: u8) -> Result<(), CudaError> {
        let failed = call("overwriting memory");
        self.context.enter().map_err(&failed)?;
        // SAFETY: the allocation has that many bytes and is freed by a call that waits; the stream is the default one.
        unsafe { result::memset_d8_async(self.address, value, self.bytes, std::ptr::null_mut()) }.map_err(&failed)
    }

    /// Copies from the host to the start.
    pub(super) fn write<T: Plain>(&self, values: &[T]) -> Result<(), CudaError> {
        let failed = call("copying to the device");
        assert!(
            size_of_val(values) <= self.bytes,
            "a copy past the end of device memory"
        );
        self.context.enter().map_err(&failed)?;
        // SAFETY: the allocation is live and has room for the slice, whose elements are plain numbers.
        unsafe { result::memcpy_htod_sync(self.address, values) }.map_err(&failed)
    }

    /// Copies `count` numbers from the start to the host, after all that was launched.
    pub(super) fn read<T: Plain>(&self, count: usize) -> Result<Vec<T>, CudaError> {
        let failed = call("copying from the device");
        assert!(
            count * size_of::<T>() <= self.bytes,
            "a copy past the end of device memory"
        );
        let mut values = vec![T::default(); count];
        self.context.enter().map_err(&failed)?;
        // SAFETY: the allocation is live and has as many bytes as the slice, whose elements are plain numbers.
        unsafe { result::memcpy_dtoh_sync(&mut values, self.address) }.map_err(&failed)?;
        Ok(values)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: allocated in `new`, freed only here; the driver waits for kernels that use it.
            let _ = unsafe { result::free_sync(self.address) };
        }
    }
}

/// A kernel that is ready to be launched. Its module lives as long as the [`Module`] it comes from.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub(super) name: &'static str,
    handle: sys::CUfunction,
}

// SAFETY: a handle that the driver's calls read, from any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Compiled PTX.
pub(super) struct Module {
    context: Arc<Context>,
    handle: sys::CUmodule,
}

// SAFETY: a handle that the driver's calls read, from any thread.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Has the driver compile PTX.
    pub(super) fn new(context: &Arc<Context>, name: &str, ptx: &str) -> Result<Module, CudaError> {
        let what = format!("loading the kernels '{name}'");
        let failed = call(&what);
        context.enter().map_err(&failed)?;
        let image = CString::new(ptx).map_err(|error| CudaError::Call {
            what: what.clone(),
            error: error.to_string(),
        })?;
        // SAFETY: a text that ends with a zero byte and outlives the call.
        let handle = unsafe { result::module::load_data(image.as_ptr().cast::<c_void>()) }.map_err(&failed)?;
        Ok(Module {
            context: context.clone(),
            handle,
        })
    }

    /// The kernel of that name.
    pub(super) fn function(&self, name: &'static str) -> Result<Function, CudaError> {
        let what = format!("looking for the kernel '{name}'");
        let failed = call(&what);
        self.context.enter().map_err(&failed)?;
        let symbol = CString::new(name).map_err(|error| CudaError::Call {
            what: what.clone(),
            error: error.to_string(),
        })?;
        // SAFETY: the module is live.
        let handle = unsafe { result::module::get_function(self.handle, symbol) }.map_err(&failed)?;
        Ok(Function { name, handle })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.enter().is_ok() {
            // SAFETY: loaded in `new`, unloaded only here.
            let _ = unsafe { result::module::unload(self.handle) };
        }
    }
}

/// Parameters of a kernel at most.
pub(super) const MOST_PARAMETERS: usize = 16;

/// A kernel with its grid and parameters, as the driver wants them: `words` holds the parameters, each from one of `starts` on; a
/// parameter of four bytes is the lower half of its word. They are good while `f` runs.
pub(super) fn with_parameters<T>(
    function: Function,
    (blocks, threads): (u32, u32),
    words: &mut [u64],
    starts: &[usize],
    f: impl FnOnce(&sys::CUDA_KERNEL_NODE_PARAMS) -> T,
) -> T {
    let mut parameters = [std::ptr::null_mut::<c_void>(); MOST_PARAMETERS];
    for (parameter, &start) in parameters.iter_mut().zip(starts) {
        *parameter = (&raw mut words[start]).cast();
    }
    f(&sys::CUDA_KERNEL_NODE_PARAMS {
        func: function.handle,
        gridDimX: blocks,
        gridDimY: 1,
        gridDimZ: 1,
        blockDimX: threads,
        blockDimY: 1,
        blockDimZ: 1,
        sharedMemBytes: 0,
        kernelParams: parameters.as_mut_ptr(),
        extra: std::ptr::null_mut(),
        kern: std::ptr::null_mut(),
        ctx: std::ptr::null_mut(),
    })
}

/// Launches a kernel on a context's default stream.
///
/// # Safety
/// The parameters are those of the kernel's PTX, their pointers have room for what the kernel reads and writes for that many
/// blocks and threads, and the memory behind them lives until the kernel has ended.
pub(super) unsafe fn launch(context: &Context, of: &sys::CUDA_KERNEL_NODE_PARAMS) -> Result<(), DriverError> {
    context.enter()?;
    // SAFETY: the caller's promise.
    unsafe {
        sys::cuLaunchKernel(
            of.func,
            of.gridDimX,
            of.gridDimY,
            of.gridDimZ,
            of.blockDimX,
            of.blockDimY,
            of.blockDimZ,
            of.sharedMemBytes,
            std::ptr::null_mut(),
            of.kernelParams,
            of.extra,
        )
    }
    .result()
}
