//! What is computed on: image files, the embedded digits, label rules, standardisation.
