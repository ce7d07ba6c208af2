//! The loops that send.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::{Called, Calls, Casts, nanos_since};

/// What messages go through, one for each task.
pub trait Handle: Send + 'static {
    /// Sends a message that nobody answers.
    fn cast(&mut self, payload: &[u8]) -> impl Future<Output = Result<(), String>> + Send;

    /// Waits until what was cast has arrived; how much has by now.
    fn arrived(&mut self) -> impl Future<Output = Result<u64, String>> + Send;

    /// Sends a message and waits for the answer; its length.
    fn call(&mut self, payload: &[u8]) -> impl Future<Output = Result<usize, String>> + Send;
}

/// Casts from a task for each handle, and waits until all have arrived at actors that count for themselves.
pub async fn casts<H: Handle>(
    handles: Vec<H>,
    casts: Casts,
) -> Result<std::time::Duration, String> {
    run_casts(handles, casts, false).await
}

/// As [`casts`], to receivers that count together.
pub async fn shared_casts<H: Handle>(
    handles: Vec<H>,
    casts: Casts,
) -> Result<std::time::Duration, String> {
    run_casts(handles, casts, true).await
}

async fn run_casts<H: Handle>(
    mut handles: Vec<H>,
    casts: Casts,
    shared: bool,
) -> Result<std::time::Duration, String> {
    let mut before = 0;
    let share = casts.count / handles.len().max(1) as u64;
    let expected = share * handles.len() as u64;
    for handle in &mut handles {
        let arrived = handle.arrived().await?;
        before = if shared { arrived } else { before + arrived };
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for handle in handles {
        tasks.spawn(send(handle, share, casts));
    }
    let mut after = 0;
    while let Some(ended) = tasks.join_next().await {
        let arrived = ended.map_err(|error| error.to_string())??;
        after = if shared {
            arrived.max(after)
        } else {
            after + arrived
        };
    }
    let wall = start.elapsed();
    if after - before == expected {
        Ok(wall)
    } else {
        Err(format!("{} of {expected} casts arrived", after - before))
    }
}

async fn send<H: Handle>(mut handle: H, count: u64, casts: Casts) -> Result<u64, String> {
    let payload = vec![7; casts.len];
    for number in 1..=count {
        handle.cast(&payload).await?;
        if casts.every > 0 && number % casts.every == 0 {
            handle.arrived().await?;
        }
    }
    handle.arrived().await
}

/// Calls from a task for each handle.
pub async fn calls<H: Handle>(handles: Vec<H>, calls: Calls) -> Result<Called, String> {
    let share = calls.count / handles.len().max(1) as u64;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for handle in handles {
        tasks.spawn(call(handle, share, calls.len));
    }
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended.map_err(|error| error.to_string())??);
    }
    let wall = start.elapsed();
    Ok(Called { wall, latencies })
}

async fn call<H: Handle>(mut handle: H, count: u64, len: usize) -> Result<Vec<u64>, String> {
    let payload = vec![7; len];
    let mut latencies = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let answered = handle.call(&payload).await?;
        latencies.push(nanos_since(start));
        if answered != len {
            return Err(format!("{answered} bytes came back of {len}"));
        }
    }
    Ok(latencies)
}
