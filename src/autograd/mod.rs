//! Room autograd.
