use std::io::Write;
fn main() {
    let t = std::time::Instant::now();
    let mut k = match sensor::source::ebpf::Kernel::attach(1 << 20) { Ok(k) => k, Err(e) => { let mut s: Option<&dyn std::error::Error> = Some(&e); while let Some(x) = s { eprintln!("{x}"); s = x.source(); } return } };
    eprintln!("attached in {:?}", t.elapsed());
    let end = t + std::time::Duration::from_secs(std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(3));
    let mut n = [0u64; 5];
    while std::time::Instant::now() < end {
        while let Some(r) = k.next() { n[r[0] as usize] += 1; if n[2] < 10 { eprintln!("{} {:?}", r[0], String::from_utf8_lossy(&r[24..])); } }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    eprintln!("{n:?} {:?}", k.loss()); std::io::stderr().flush().unwrap();
}
