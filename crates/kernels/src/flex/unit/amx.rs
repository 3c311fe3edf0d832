//! Advanced Matrix Extensions of x86-64 (Intel, Architecture Instruction Set Extensions Programming Reference, chapter 3).

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use burn::tensor::bf16;

use super::{BLOCK, Block, ROWS, Tile, Unit};

/// Eight tiles, of which four hold results. Only [`is_there`] makes one, where the unit can be used.
#[derive(Clone, Copy, Debug)]
pub(in crate::flex) struct Amx(());

/// The unit, if the processor has one for bfloat16 and the system permits its use; if not, why.
pub(in crate::flex) fn is_there() -> Result<Amx, &'static str> {
    static FOUND: OnceLock<Result<Amx, &'static str>> = OnceLock::new();
    *FOUND.get_or_init(|| find().map(|()| Amx(())))
}

/// What decides whether the unit can be used.
struct Machine {
    /// EDX of leaf 7 of CPUID; 0 where there is no such leaf.
    features: u32,
    /// The states that the system saves, XCR0; 0 where it does not say.
    states: u32,
    permit: fn() -> Result<(), &'static str>,
}

const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
const TILE_STATES: u32 = 0b11 << 17;

impl Machine {
    fn check(&self) -> Result<(), &'static str> {
        if self.features & BF16_AND_TILES != BF16_AND_TILES {
            return Err("the processor has no matrix unit for bfloat16 (AMX)");
        }
        if self.states & TILE_STATES != TILE_STATES {
            return Err("the system does not support the processor's matrix unit (AMX)");
        }
        (self.permit)()
    }
}

fn find() -> Result<(), &'static str> {
    const OSXSAVE: u32 = 1 << 27;
    let leaf = |leaf| __cpuid_count(leaf, 0);
    let features = if leaf(0).eax >= 7 { leaf(7).edx } else { 0 };
    let mut states = 0_u32;
    if leaf(1).ecx & OSXSAVE != 0 {
        // SAFETY: The system has switched the instruction on.
        unsafe { asm!("xgetbv", in("ecx") 0, out("eax") states, out("edx") _, options(nomem, nostack)) };
    }
    Machine { features, states, permit }.check()
}

/// Asks Linux for the use of the tiles' registers, which it grants by process.
#[cfg(target_os = "linux")]
fn permit() -> Result<(), &'static str> {
    const ARCH_PRCTL: isize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: The system call takes numbers alone.
    unsafe {
        asm!(
            "syscall",
            inout("rax") result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    if result == 0 { Ok(()) } else { Err("the system refuses this process the processor's matrix unit (AMX)") }
}

/// Other systems permit it to every process, if they support it.
#[cfg(not(target_os = "linux"))]
fn permit() -> Result<(), &'static str> {
    Ok(())
}

impl Unit for Amx {
    fn begin(&self) {
        /// Eight tiles of 16 rows of 64 bytes.
        #[repr(C, align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1;
        for tile in 0..8 {
            config.0[16 + 2 * tile] = 64;
            config.0[48 + tile] = ROWS as u8;
        }
        // SAFETY: `is_there` has found the unit and the permission for it; the configuration is a valid one.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) };
    }

    fn end(&self) {
        // SAFETY: Releases the tiles; nothing that Rust uses is in them.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    unsafe fn multiply(&self, a: *const bf16, stride: usize, b: *const Tile, steps: usize, c: &mut Block) {
        let (stride, block) = (2 * stride, c.0.as_mut_ptr());
        // SAFETY: The rows and tiles are what the caller promises, and the block is 32 rows of 128 bytes.
        unsafe {
            asm!(
                "tileloadd tmm0, [{c} + {row}]",
                "tileloadd tmm1, [{c} + {row} + 64]",
                "tileloadd tmm2, [{lower_c} + {row}]",
                "tileloadd tmm3, [{lower_c} + {row} + 64]",
                "test {steps}, {steps}",
                "jz 3f",
                "2:",
                "tileloadd tmm4, [{a} + {stride}]",
                "tileloadd tmm6, [{b} + {width}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{b} + {width} + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{lower_a} + {stride}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 64",
                "add {lower_a}, 64",
                "add {b}, 2048",
                "dec {steps}",
                "jnz 2b",
                "3:",
                "tilestored [{c} + {row}], tmm0",
                "tilestored [{c} + {row} + 64], tmm1",
                "tilestored [{lower_c} + {row}], tmm2",
                "tilestored [{lower_c} + {row} + 64], tmm3",
                a = inout(reg) a => _,
                lower_a = inout(reg) a.byte_add(ROWS * stride) => _,
                b = inout(reg) b => _,
                steps = inout(reg) steps => _,
                stride = in(reg) stride,
                width = in(reg) 64_usize,
                c = in(reg) block,
                lower_c = in(reg) block.add(ROWS * BLOCK),
                row = in(reg) 4 * BLOCK,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_missing_is_said() {
        let refused = || Err("the system refuses this process the processor's matrix unit (AMX)");
        let machine = |features, states, permit| Machine { features, states, permit }.check();
        assert_eq!(machine(BF16_AND_TILES, TILE_STATES | 0b111, || Ok(())), Ok(()));
        for features in [0, 1 << 22, 1 << 24] {
            assert!(machine(features, TILE_STATES, || Ok(())).is_err_and(|reason| reason.contains("processor has no")));
        }
        let reason = machine(BF16_AND_TILES, 1 << 17, || unreachable!("asked for what the system lacks"));
        assert!(reason.is_err_and(|reason| reason.contains("does not support")));
        assert_eq!(machine(BF16_AND_TILES, TILE_STATES, refused), refused());
    }
}
