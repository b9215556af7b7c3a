//! Whether the scheduler's clock is one that can be corrected.

/// Where the kernel says what it reads the time from.
const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// Clock sources of a kernel that gave up on the processor's counter. Its
/// scheduler then has a clock of its own on every CPU, and the distance to
/// CLOCK_MONOTONIC is not one number.
const UNSTABLE: [&str; 4] = ["acpi_pm", "hpet", "jiffies", "refined-jiffies"];

/// The name of the clock source, where the scheduler's clock is unstable.
#[must_use]
pub fn unstable() -> Option<String> {
    let name = std::fs::read_to_string(CURRENT).ok()?.trim().to_owned();
    UNSTABLE.contains(&name.as_str()).then_some(name)
}
