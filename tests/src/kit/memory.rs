//! Memory of processes, from /proc.

use std::{fs, path::Path};

/// The peak resident memory of these processes, or of every service on this machine: name and bytes.
pub fn services_memory(pids: Option<&[(String, u32)]>) -> Vec<(String, u64)> {
    let folder = |pid: u32| Path::new("/proc").join(pid.to_string());
    if let Some(pids) = pids {
        let peaks = pids
            .iter()
            .filter_map(|(name, pid)| Some((name.clone(), peak_memory(&folder(*pid))?)));
        return peaks.collect();
    }
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let service = |folder: fs::DirEntry| {
        let name = fs::read_to_string(folder.path().join("comm")).ok()?;
        let name = name.trim().to_owned();
        ["write-api", "projector", "read-api"]
            .contains(&name.as_str())
            .then_some(())?;
        Some((name, peak_memory(&folder.path())?))
    };
    folders.filter_map(service).collect()
}

/// Peak resident memory (`VmHWM`) of the process with this folder in /proc, in bytes.
pub fn peak_memory(process: &Path) -> Option<u64> {
    status_bytes(process, "VmHWM:")
}

/// Resident memory (`VmRSS`) of the process with this folder in /proc, in bytes.
pub fn resident_memory(process: &Path) -> Option<u64> {
    status_bytes(process, "VmRSS:")
}

fn status_bytes(process: &Path, name: &str) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
