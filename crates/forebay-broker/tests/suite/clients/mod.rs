//! Other people's clients, on both brokers.

mod java;
mod kcat;
mod rskafka;
