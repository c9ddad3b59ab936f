//! Devices that cannot be had: what the error says, and that nothing panics.

use disentangle::backend::cuda::CudaError;
use disentangle::backend::program::{Buffer, Element, Extent, Program, Storage};
use disentangle::backend::{Backend, BackendError, Cuda};

use crate::stand_in;

fn refusal(ordinal: usize) -> BackendError {
    match Cuda::new(ordinal) {
        Ok(cuda) => panic!("there is a device: {:?}", cuda.device()),
        Err(error) => error,
    }
}

/// Without the stand-in there is a driver or there is none; either way there is an answer.
#[test]
fn no_driver_is_an_error() {
    if let Err(error) = Cuda::new(0) {
        let line = error.to_string();
        assert!(
            matches!(error, BackendError::Cuda(_)) && line.contains("CUDA") && !line.contains('\n'),
            "{line}"
        );
    }
}

#[test]
fn an_old_driver_is_an_error() {
    let old = [("DISENTANGLE_STAND_IN_DRIVER", "11080")];
    if stand_in::real() {
        return;
    }
    stand_in::with_environment("errors::an_old_driver_is_an_error", &old, || {
        assert_eq!(
            refusal(0),
            BackendError::Cuda(CudaError::DriverTooOld { found: (11, 8) })
        );
    });
}

#[test]
fn no_device_is_an_error() {
    if stand_in::real() {
        return;
    }
    stand_in::with_environment(
        "errors::no_device_is_an_error",
        &[("DISENTANGLE_STAND_IN_DEVICES", "0")],
        || {
            assert_eq!(refusal(0), BackendError::Cuda(CudaError::NoDevice));
        },
    );
}

#[test]
fn a_wrong_number_is_an_error() {
    stand_in::with("errors::a_wrong_number_is_an_error", || {
        let error = refusal(4711);
        assert!(
            matches!(error, BackendError::Cuda(CudaError::Ordinal { ordinal: 4711, .. })),
            "{error}"
        );
        assert!(error.to_string().contains("no CUDA device 4711"), "{error}");
    });
}

#[test]
fn memory_that_is_not_there_is_an_error_with_its_sizes() {
    stand_in::with("errors::memory_that_is_not_there_is_an_error_with_its_sizes", || {
        let cuda = Cuda::new(0).unwrap();
        let buffer = Buffer {
            name: "weights".into(),
            element: Element::Real,
            replicated: false,
            extent: Extent::Whole { rows: 1 << 20 },
            // 1 TiB
            cols: 1 << 18,
            storage: Storage::Persistent,
            lasting: false,
        };
        let program = Program {
            replicas: 1,
            spaces: vec![],
            buffers: vec![buffer],
            entries: vec![],
        };
        let error = cuda.load(program).err().unwrap();
        let BackendError::Cuda(CudaError::OutOfMemory { bytes, total, .. }) = &error else {
            panic!("{error}");
        };
        assert!(*bytes == 1 << 40 && *total < 1 << 40);
        assert!(error.to_string().contains("'weights' takes 1048576 MiB"), "{error}");
    });
}
