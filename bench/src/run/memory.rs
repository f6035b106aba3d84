//! read-api's memory with a full cache.

use anyhow::Result;

use super::{
    context::{Bench, progress},
    row::Outcome,
    stack::CacheMode,
};
use crate::load::{Plan, get};

const MIB: u64 = 1 << 20;

/// Reads twice as many different pages as the cache can hold, and then measures the memory. The worst of the cache
/// sizes counts.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let sizes: &[u64] = if bench.quick { &[16] } else { &[64, 256] };
    let mut worst = Outcome {
        key: "memory",
        value: 0.0,
        ..Outcome::default()
    };
    for size in sizes {
        let limit = size * MIB;
        let read_api = bench.read_api(CacheMode::MaxBytes(limit)).await?;
        let mut read = 0;
        let mut per_page = 20;
        while read < 2 * limit && per_page < 60 {
            let viewers = bench.dataset.some(10_000, &mut bench.rng);
            let path = format!("/v1/feed?limit={per_page}");
            let requests = viewers
                .iter()
                .map(|viewer| get(0, &path, bench.dataset.headers(*viewer)))
                .collect();
            let mut plan = Plan::new(&[&read_api.address], requests, 0.0);
            plan.once = true;
            let summary = bench.stack.load(&plan).await?;
            anyhow::ensure!(summary.errors == 0, "{:?}", summary.first_error);
            read += summary.bytes;
            per_page += 1;
        }
        let memory = read_api.memory()?;
        let value = memory as f64 / (limit + 100 * MIB) as f64;
        let result = format!(
            "CACHE_MAX_BYTES {size} MiB: {} MiB after {} MiB of different pages",
            memory / MIB,
            read / MIB
        );
        progress(&result);
        let note = if worst.note.is_empty() {
            result
        } else {
            format!("{}; {result}", worst.note)
        };
        if value > worst.value {
            worst.value = value;
            worst.ours = format!("{} MiB", memory / MIB);
            worst.other = format!("{} MiB", limit / MIB + 100);
        }
        worst.note = note;
    }
    Ok(vec![worst])
}
