//! What of the processor's state, beside the place, decides what instructions mean: CPSR.E, and LEN and STRIDE of FPSCR. Hardly a
//! program changes them, so they are no part of code addresses: all engines compile for [`Modes::default`], and while a thread
//! has others, the interpreter alone executes it (docs/decisions/0038-modes-of-aarch32.md).

use abi::GuestState;

/// The modes for which instructions are lifted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Modes {
    /// CPSR.E: data are big-endian in memory.
    pub big_endian: bool,
    /// Floating-point arithmetic is done on short vectors.
    pub vectors: Option<ShortVectors>,
}

/// VFP vectors (Arm DDI 0406, appendix "VFP Vector Operation Support").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShortVectors {
    /// Elements, 2–8.
    pub length: u32,
    /// Distance between the registers of neighbouring elements, 1 or 2.
    pub stride: u32,
}

impl Modes {
    /// Those of a thread in AArch32 state.
    pub fn of(state: &GuestState) -> Modes {
        Modes { big_endian: state.big_endian != 0, vectors: ShortVectors::of(state.fpcr) }
    }

    /// True for those that code is compiled for.
    pub fn are_usual(self) -> bool {
        self == Modes::default()
    }
}

impl ShortVectors {
    /// What FPSCR asks for; `None` for single elements, whatever their stride.
    fn of(fpscr: u32) -> Option<ShortVectors> {
        let (len, stride) = (fpscr >> 16 & 7, fpscr >> 20 & 3);
        // Other values of STRIDE than 0 and 3 are reserved; Linux' emulation takes them for 0.
        (len != 0).then_some(ShortVectors { length: len + 1, stride: 1 + u32::from(stride == 3) })
    }
}
