mod claims;
mod network;
mod simulation;
