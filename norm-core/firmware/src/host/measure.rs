//! Counting instructions and stack under an emulator that counts them (`-icount`).

use core::ptr;

/// The counter as it stands: of a clock that the emulator moves with instructions.
#[cfg(target_arch = "arm")]
fn now() -> u32 {
    const CURRENT: *const u32 = 0xe000_e018 as *const u32;
    // SAFETY: the register of SysTick's value, which every Cortex-M that this runs on has; reading it changes nothing.
    0u32.wrapping_sub(unsafe { CURRENT.read_volatile() })
}

#[cfg(target_arch = "arm")]
fn start_clock() {
    // SAFETY: the registers of SysTick, which nothing else uses: the longest period, the processor's clock, no interrupt.
    unsafe {
        (0xe000_e014 as *mut u32).write_volatile(0xff_ffff);
        (0xe000_e018 as *mut u32).write_volatile(0);
        (0xe000_e010 as *mut u32).write_volatile(0b101);
    }
}

#[cfg(target_arch = "riscv32")]
fn now() -> u32 {
    riscv::register::mcycle::read() as u32
}

#[cfg(target_arch = "riscv32")]
fn start_clock() {}

/// Bits that the counter has.
const BITS: u32 = if cfg!(target_arch = "arm") { 24 } else { 32 };

/// A counter of instructions.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    /// Ticks of so many instructions.
    ticks: u64,
    /// Instructions of reading it.
    own: u32,
}

/// Instructions that it is set by: those of [`nops`], its call and its return.
const KNOWN: u32 = 4096 + 2;

#[inline(never)]
fn nops() {
    // SAFETY: instructions that do nothing.
    unsafe { core::arch::asm!(".rept 4096", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
}

impl Counter {
    /// Sets itself by instructions that are known to be so many.
    pub fn new() -> Self {
        start_clock();
        let first = now();
        nops();
        let once = now();
        nops();
        nops();
        let ticks = Self::between(once, now()).wrapping_sub(Self::between(first, once)).into();
        let mut counter = Self { ticks, own: 0 };
        counter.own = counter.instructions(|| ());
        counter
    }

    fn between(first: u32, last: u32) -> u32 {
        last.wrapping_sub(first) & (u32::MAX >> (32 - BITS))
    }

    /// The time now, for [`since`](Self::since).
    #[inline(always)]
    pub fn now(&self) -> u32 {
        now()
    }

    /// Instructions from one time to another.
    pub fn since(&self, first: u32, last: u32) -> u32 {
        let ticks = u64::from(Self::between(first, last)) * u64::from(KNOWN);
        ((ticks + self.ticks / 2).checked_div(self.ticks).unwrap_or(0) as u32).saturating_sub(self.own)
    }

    /// Instructions that something takes.
    #[inline(never)]
    pub fn instructions(&self, f: impl FnOnce()) -> u32 {
        let first = now();
        f();
        self.since(first, now())
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

/// Words that are looked at.
const DEEPEST: usize = 512;
const PAINT: u32 = 0x5aa5_c33c;

/// Bytes of stack that something takes, beside its caller's: painted before, looked at after.
#[inline(never)]
pub fn stack(f: impl FnOnce()) -> usize {
    let top = stack_pointer();
    for below in 1..=DEEPEST {
        let place = ptr::with_exposed_provenance_mut::<u32>(top - 4 * below);
        // SAFETY: below all that is in use of the stack, which on these boards is RAM down to the program's variables;
        // nothing is called between reading the pointer and the last of these.
        unsafe { place.write_volatile(PAINT) };
    }
    call(f);
    let used = |below: &usize| {
        let place = ptr::with_exposed_provenance::<u32>(top - 4 * below);
        // SAFETY: as above.
        unsafe { place.read_volatile() != PAINT }
    };
    (1..=DEEPEST).rev().find(used).unwrap_or(0) * 4
}

/// So that what is called has a frame of its own.
#[inline(never)]
fn call(f: impl FnOnce()) {
    f();
}

#[inline(always)]
fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}
