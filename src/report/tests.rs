//! All formats together: the same numbers everywhere, the same bytes twice, and nothing that acts.
