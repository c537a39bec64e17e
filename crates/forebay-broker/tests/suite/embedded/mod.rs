//! What only the embedded broker has: limits, files, a disk, and what it leaves out.

mod files;
mod full_disk;
mod hostile_input;
mod left_out;
mod upkeep;
mod versions;
