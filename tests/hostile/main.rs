//! Every public function of the core, called with what nobody should give it: nothing, too little, NaN, infinities, sizes that do not fit
//! each other and sizes that fit nowhere. It answers with a typed error, or with a number where it returns one, and never panics.
//!
//! The functions are those of `tests/public_api.txt`: one that takes arguments and is neither called here nor excused in [`EXCUSED`], with
//! the reason, fails the test.

mod autograd;
mod geometry;
mod pairs;
mod training;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is called, and what panicked.
#[derive(Default)]
pub struct Attack {
    called: BTreeSet<&'static str>,
    panics: Vec<String>,
}

impl Attack {
    /// Calls a function, named by the last two parts of its path, with what `with` says in words.
    pub fn call<T>(&mut self, name: &'static str, with: &str, function: impl FnOnce() -> T) -> Option<T> {
        self.called.insert(name);
        let result = catch_unwind(AssertUnwindSafe(function));
        if result.is_err() {
            self.panics.push(format!("{name} with {with}"));
        }
        result.ok()
    }

    /// As [`Attack::call`], where nothing but an error will do. It has one line.
    pub fn refused<T, E: std::fmt::Display>(
        &mut self,
        name: &'static str,
        with: &str,
        function: impl FnOnce() -> Result<T, E>,
    ) {
        match self.call(name, with, function) {
            Some(Ok(_)) => self.panics.push(format!("{name} with {with}: accepted")),
            Some(Err(error)) => {
                let line = error.to_string();
                if line.is_empty() || line.contains('\n') {
                    self.panics.push(format!("{name} with {with}: not one line: {line:?}"));
                }
            }
            None => {}
        }
    }
}

/// Functions that are not called here, by a part of their path, and why not.
const EXCUSED: &[(&str, &str)] = &[
    (
        "disentangle::data::",
        "files and what they hold: tests/data_files.rs, tests/data_sets.rs, tests/fuzz_parsers; clippy denies indexing there",
    ),
    (
        "::backend::program::",
        "looks up an id of one's own program, as a slice an index; programs from outside do not exist",
    ),
    ("::backend::Program::", "the same, exported"),
    ("::Kernel::", "describes a kernel of one's own program"),
    ("::UpdateRule::", "takes no arguments that could be wrong"),
    (
        "::Executable::",
        "what a session calls, which checks first: those calls are made here",
    ),
    ("::Backend::load", "takes what a plan has made"),
    ("::Pool::run", "calls what it is given"),
    (
        "::Points::label",
        "looks up a row of points that were checked, as a slice an index",
    ),
    ("::Points::class_sizes", "the same for a replica"),
    ("::Points::row", "the same for a row"),
    ("::RowSource::", "a trait that the caller implements"),
    ("::Values::", "a conversion"),
    ("::Plan::segments", "looks up an entry of one's own plan"),
    ("::Product::run", "unsafe: what it takes is the caller's promise"),
    ("::MatRef::", "addresses, for the same product"),
    ("::MatMut::", "addresses, for the same product"),
    ("::Workspace::reserve", "allocates as much as it is told to"),
    ("::Initializer::", "returns as many numbers as it is asked for"),
    ("::Architecture::initial", "the same"),
    ("::Recipe::initial", "the same"),
    ("::multiply_adds", "works for as long as it is told to"),
    (
        "::gradient_check::",
        "calls what it is given, on graphs that were checked",
    ),
];

#[test]
fn nothing_panics_and_nothing_is_left_out() {
    // A panic that is caught need not be told.
    std::panic::set_hook(Box::new(|_| {}));
    let mut attack = Attack::default();
    geometry::attack(&mut attack);
    pairs::attack(&mut attack);
    autograd::attack(&mut attack);
    training::attack(&mut attack);
    drop(std::panic::take_hook());
    assert!(attack.panics.is_empty(), "{}", attack.panics.join("\n"));

    let list = include_str!("../public_api.txt");
    let mut left_out = BTreeSet::new();
    for line in list.lines() {
        let Some((_, rest)) = line.split_once("fn ") else {
            continue;
        };
        if !(line.starts_with("fn ") || line.starts_with("const fn ") || line.starts_with("unsafe fn ")) {
            continue;
        }
        let end = rest.find(['(', '<']).unwrap_or(rest.len());
        let (path, arguments) = (&rest[..end], &rest[rest.find('(').unwrap_or(end)..]);
        let without = ["()", "(self: &Self)", "(self: &mut Self)", "(self: Self)"];
        if without.iter().any(|none| arguments.starts_with(none)) {
            continue;
        }
        let parts: Vec<&str> = path.rsplit("::").take(2).collect();
        let short = format!("{}::{}", parts[1], parts[0]);
        let excused = EXCUSED.iter().any(|(part, _)| path.contains(part));
        if !excused && !attack.called.contains(short.as_str()) {
            left_out.insert(short);
        }
    }
    assert!(left_out.is_empty(), "not called: {left_out:?}");
}
