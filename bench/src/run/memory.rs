//! read-api's memory when its cache is full.

use anyhow::Result;

use super::{Bench, row::Outcome, say, stack::Memory};
use crate::load::{Plan, get};

const MIB: u64 = 1 << 20;

/// Asks for twice as many different pages as the cache can hold, and then looks. What counts is the worst of the
/// sizes.
pub async fn measure(bench: &mut Bench) -> Result<Vec<Outcome>> {
    let sizes: &[u64] = if bench.quick { &[16] } else { &[64, 256] };
    let mut worst = Outcome {
        key: "memory",
        value: 0.0,
        ..Outcome::default()
    };
    for size in sizes {
        let limit = size * MIB;
        let read_api = bench.read_api(Memory::Bytes(limit)).await?;
        let mut asked = 0;
        let mut per_page = 20;
        while asked < 2 * limit && per_page < 60 {
            let viewers = bench.world.some(10_000, &mut bench.rng);
            let path = format!("/v1/feed?limit={per_page}");
            let requests = viewers
                .iter()
                .map(|viewer| get(0, &path, bench.world.signed(*viewer)))
                .collect();
            let mut plan = Plan::new(&[&read_api.address], requests, 0.0);
            plan.once = true;
            let summary = bench.stack.load(&plan).await?;
            anyhow::ensure!(summary.errors == 0, "{:?}", summary.first_error);
            asked += summary.bytes;
            per_page += 1;
        }
        let memory = read_api.memory()?;
        let value = memory as f64 / (limit + 100 * MIB) as f64;
        let seen = format!(
            "CACHE_MAX_BYTES {size} MiB: {} MiB after {} MiB of different pages",
            memory / MIB,
            asked / MIB
        );
        say(&seen);
        let note = if worst.note.is_empty() {
            seen
        } else {
            format!("{}; {seen}", worst.note)
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
