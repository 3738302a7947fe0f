//! The roll-up adds up, ranks fairly, and does not care about order.
