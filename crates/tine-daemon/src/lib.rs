//! Does the world match what was asked? Runs apps around the rules.
