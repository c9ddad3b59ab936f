//! The functions that are asked of the driver's library, by name. The bindings panic where one is missing; so each is looked for before
//! the first call, and a library without it is an error.

use cudarc::driver::sys;

use super::error::CudaError;

/// What tells the driver's version, which is asked first: a driver that is too old is told so, not what it lacks.
pub(super) const VERSION: &[&str] = &["cuDriverGetVersion"];

/// All others. Drivers for CUDA 12.0 have every one.
pub(super) const ALL: &[&str] = &[
    "cuInit",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuDeviceGet",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxSetCurrent",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemsetD8_v2",
    "cuMemsetD8Async",
    "cuMemcpyHtoD_v2",
    "cuMemcpyDtoH_v2",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuModuleUnload",
    "cuLaunchKernel",
    "cuGraphCreate",
    "cuGraphDestroy",
    "cuGraphAddKernelNode_v2",
    "cuGraphInstantiateWithFlags",
    "cuGraphExecKernelNodeSetParams_v2",
    "cuGraphExecDestroy",
    "cuGraphLaunch",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuEventElapsedTime",
    "cuEventDestroy_v2",
];

/// Whether the driver's library has all of them. The library is there.
///
/// # Errors
/// [`CudaError::Symbol`] with the first that is missing.
pub(super) fn check(names: &[&'static str]) -> Result<(), CudaError> {
    // SAFETY: the caller has seen that the library loads; to load it has no side effect that this program could see.
    let library = unsafe { sys::culib() };
    let missing = names.iter().find(|name| {
        // SAFETY: the address is not called, only asked for.
        unsafe { library.get::<unsafe extern "C" fn()>(name.as_bytes()) }.is_err()
    });
    match missing {
        Some(&name) => Err(CudaError::Symbol { name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of a file without comments.
    fn code(path: &std::path::Path) -> String {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Calls by `sys::` name their function; those by `result::` are wrappers of cudarc around one each.
    #[test]
    fn every_function_that_is_called_is_looked_for() {
        let wrapped = [
            ("result::init", "cuInit"),
            ("error.error_name", "cuGetErrorName"),
            ("error.error_string", "cuGetErrorString"),
            ("device::get(", "cuDeviceGet"),
            ("device::get_count", "cuDeviceGetCount"),
            ("device::get_name", "cuDeviceGetName"),
            ("device::get_attribute", "cuDeviceGetAttribute"),
            ("device::total_mem", "cuDeviceTotalMem_v2"),
            ("primary_ctx::retain", "cuDevicePrimaryCtxRetain"),
            ("primary_ctx::release", "cuDevicePrimaryCtxRelease_v2"),
            ("ctx::set_current", "cuCtxSetCurrent"),
            ("result::malloc_sync", "cuMemAlloc_v2"),
            ("result::free_sync", "cuMemFree_v2"),
            ("result::mem_get_info", "cuMemGetInfo_v2"),
            ("result::memset_d8_sync", "cuMemsetD8_v2"),
            ("result::memset_d8_async", "cuMemsetD8Async"),
            ("result::memcpy_htod_sync", "cuMemcpyHtoD_v2"),
            ("result::memcpy_dtoh_sync", "cuMemcpyDtoH_v2"),
            ("module::load_data", "cuModuleLoadData"),
            ("module::get_function", "cuModuleGetFunction"),
            ("module::unload", "cuModuleUnload"),
            ("event::create", "cuEventCreate"),
            ("event::record", "cuEventRecord"),
            ("event::synchronize", "cuEventSynchronize"),
            ("event::elapsed", "cuEventElapsedTime"),
            ("event::destroy", "cuEventDestroy_v2"),
        ];
        let mut called = std::collections::BTreeSet::new();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/cuda")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                if path.ends_with("symbols.rs") {
                    continue;
                }
                let code = code(&path);
                for rest in code.split("sys::cu").skip(1) {
                    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    let is_function = rest[name.len()..].starts_with('(');
                    // cuBLAS has a list of its own.
                    if is_function && name.starts_with(char::is_uppercase) {
                        called.insert(format!("cu{name}"));
                    }
                }
                for (words, name) in wrapped {
                    if code.contains(words) {
                        called.insert(name.to_string());
                    }
                }
            }
        }
        let looked_for = VERSION.iter().chain(ALL).map(|name| name.to_string()).collect();
        assert_eq!(called, looked_for);
    }
}
