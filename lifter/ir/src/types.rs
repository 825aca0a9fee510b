//! Value types, vector lane shapes and register descriptions. Takes nothing, gives the vocabulary that every other
//! file of this crate uses; knows no ARM and no LLVM: what a register means is the instruction set's affair.

use std::fmt;

/// A guest code address as the file was linked (for code met at run time: the run-time address itself).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GuestAddr(pub u64);

impl fmt::Debug for GuestAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl fmt::Display for GuestAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl GuestAddr {
    /// The address `bytes` further on, modulo 2⁶⁴.
    pub fn offset(self, bytes: i64) -> GuestAddr {
        GuestAddr(self.0.wrapping_add_signed(bytes))
    }
}

/// Type of an IR value. Vectors have one type; the operation names the lane shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Type {
    /// One bit: conditions and flags.
    I1,
    /// 8 bits.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// 128 bits: 128-bit pairs and their atomics.
    I128,
    /// IEEE binary16 (or Arm alternative half precision, by FPCR.AHP in conversions).
    F16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// 128-bit vector; lane 0 is least significant.
    V128,
}

impl Type {
    /// All types, in order.
    pub const ALL: [Type; 10] = [
        Type::I1,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::F16,
        Type::F32,
        Type::F64,
        Type::V128,
    ];

    /// Width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Type::I1 => 1,
            Type::I8 => 8,
            Type::I16 | Type::F16 => 16,
            Type::I32 | Type::F32 => 32,
            Type::I64 | Type::F64 => 64,
            Type::I128 | Type::V128 => 128,
        }
    }

    /// Size in memory in bytes (an `i1` takes one).
    pub const fn bytes(self) -> u32 {
        self.bits().div_ceil(8)
    }

    /// True for `i1`…`i128`.
    pub const fn is_int(self) -> bool {
        matches!(self, Type::I1 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128)
    }

    /// True for `f16`, `f32`, `f64`.
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64)
    }

    /// The integer type of that many bits.
    pub const fn int(bits: u32) -> Type {
        match bits {
            1 => Type::I1,
            8 => Type::I8,
            16 => Type::I16,
            32 => Type::I32,
            64 => Type::I64,
            128 => Type::I128,
            _ => panic!("no integer type of that width"),
        }
    }

    /// The float type of that many bits.
    pub const fn float(bits: u32) -> Type {
        match bits {
            16 => Type::F16,
            32 => Type::F32,
            64 => Type::F64,
            _ => panic!("no float type of that width"),
        }
    }

    /// The mask of the low `bits()` bits.
    pub const fn mask(self) -> u128 {
        if self.bits() == 128 { u128::MAX } else { (1u128 << self.bits()) - 1 }
    }

    /// Name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Type::I1 => "i1",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::I128 => "i128",
            Type::F16 => "f16",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::V128 => "v128",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Integer lane shape of a full 128-bit vector.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Lane {
    /// 16 × 8 bits.
    B16,
    /// 8 × 16 bits.
    H8,
    /// 4 × 32 bits.
    S4,
    /// 2 × 64 bits.
    D2,
}

impl Lane {
    /// All shapes, narrowest lane first.
    pub const ALL: [Lane; 4] = [Lane::B16, Lane::H8, Lane::S4, Lane::D2];

    /// Bits in one lane.
    pub const fn bits(self) -> u32 {
        match self {
            Lane::B16 => 8,
            Lane::H8 => 16,
            Lane::S4 => 32,
            Lane::D2 => 64,
        }
    }

    /// Number of lanes.
    pub const fn count(self) -> u32 {
        128 / self.bits()
    }

    /// The scalar type of one lane.
    pub const fn scalar(self) -> Type {
        Type::int(self.bits())
    }

    /// The shape with lanes of that many bits.
    pub const fn of_bits(bits: u32) -> Lane {
        match bits {
            8 => Lane::B16,
            16 => Lane::H8,
            32 => Lane::S4,
            64 => Lane::D2,
            _ => panic!("no lane of that width"),
        }
    }

    /// Lanes twice as wide; `None` for `D2`.
    pub const fn wider(self) -> Option<Lane> {
        match self {
            Lane::B16 => Some(Lane::H8),
            Lane::H8 => Some(Lane::S4),
            Lane::S4 => Some(Lane::D2),
            Lane::D2 => None,
        }
    }

    /// Lanes half as wide; `None` for `B16`.
    pub const fn narrower(self) -> Option<Lane> {
        match self {
            Lane::B16 => None,
            Lane::H8 => Some(Lane::B16),
            Lane::S4 => Some(Lane::H8),
            Lane::D2 => Some(Lane::S4),
        }
    }

    /// Name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Lane::B16 => "16b",
            Lane::H8 => "8h",
            Lane::S4 => "4s",
            Lane::D2 => "2d",
        }
    }
}

/// Shape of a floating-point operation: a scalar (operands and result of the scalar float type) or the low lanes of
/// a vector (operands and result `v128`; lanes that the shape does not cover are zero in the result and raise no
/// exception).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum FShape {
    /// Scalar binary16.
    H,
    /// Scalar binary32.
    S,
    /// Scalar binary64.
    D,
    /// Low 4 × binary16.
    V4H,
    /// 8 × binary16.
    V8H,
    /// Low 2 × binary32.
    V2S,
    /// 4 × binary32.
    V4S,
    /// 2 × binary64.
    V2D,
    /// Low 2 × binary32 under AArch32's standard FPSCR, as Advanced SIMD computes: FPCR is taken for one with FZ and DN, rounding
    /// to nearest, AHP as it is. [`RecipStep`](crate::FBin::RecipStep) and [`RsqrtStep`](crate::FBin::RsqrtStep) round the product.
    N2S,
    /// 4 × binary32 under the standard FPSCR.
    N4S,
}

impl FShape {
    /// All shapes.
    pub const ALL: [FShape; 10] = [
        FShape::H,
        FShape::S,
        FShape::D,
        FShape::V4H,
        FShape::V8H,
        FShape::V2S,
        FShape::V4S,
        FShape::V2D,
        FShape::N2S,
        FShape::N4S,
    ];

    /// Bits of one element.
    pub const fn bits(self) -> u32 {
        match self {
            FShape::H | FShape::V4H | FShape::V8H => 16,
            FShape::S | FShape::V2S | FShape::V4S | FShape::N2S | FShape::N4S => 32,
            FShape::D | FShape::V2D => 64,
        }
    }

    /// Number of elements computed.
    pub const fn count(self) -> u32 {
        match self {
            FShape::H | FShape::S | FShape::D => 1,
            FShape::V2S | FShape::V2D | FShape::N2S => 2,
            FShape::V4H | FShape::V4S | FShape::N4S => 4,
            FShape::V8H => 8,
        }
    }

    /// True for the shapes that work on `v128`.
    pub const fn is_vector(self) -> bool {
        !matches!(self, FShape::H | FShape::S | FShape::D)
    }

    /// True for the shapes under the standard FPSCR.
    pub const fn standard(self) -> bool {
        matches!(self, FShape::N2S | FShape::N4S)
    }

    /// True for the shapes that hosts compute in the guest's own modes: neither half precision nor the standard FPSCR.
    pub const fn native(self) -> bool {
        self.bits() != 16 && !self.standard()
    }

    /// Type of operands and result: the scalar float type, or `v128`.
    pub const fn ty(self) -> Type {
        if self.is_vector() { Type::V128 } else { Type::float(self.bits()) }
    }

    /// The integer lane shape with the same element width.
    pub const fn lane(self) -> Lane {
        Lane::of_bits(self.bits())
    }

    /// The scalar shape with elements of that many bits.
    pub const fn scalar(bits: u32) -> FShape {
        match bits {
            16 => FShape::H,
            32 => FShape::S,
            64 => FShape::D,
            _ => panic!("no float of that width"),
        }
    }

    /// The shape of binary32 lanes under the standard FPSCR, full (128 bits) or half (64 bits).
    pub const fn standard_vector(full: bool) -> FShape {
        if full { FShape::N4S } else { FShape::N2S }
    }

    /// The vector shape with elements of that many bits, full (128 bits) or half (64 bits).
    pub const fn vector(bits: u32, full: bool) -> Option<FShape> {
        match (bits, full) {
            (16, false) => Some(FShape::V4H),
            (16, true) => Some(FShape::V8H),
            (32, false) => Some(FShape::V2S),
            (32, true) => Some(FShape::V4S),
            (64, true) => Some(FShape::V2D),
            _ => None,
        }
    }

    /// Name in the text form.
    pub const fn name(self) -> &'static str {
        match self {
            FShape::H => "h",
            FShape::S => "s",
            FShape::D => "d",
            FShape::V4H => "4h",
            FShape::V8H => "8h",
            FShape::V2S => "2s",
            FShape::V4S => "4s",
            FShape::V2D => "2d",
            FShape::N2S => "n2s",
            FShape::N4S => "n4s",
        }
    }
}

/// A guest register: an index into the [`RegFile`] of the function's instruction set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Reg(pub u16);

/// What the IR needs to know of one guest register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegInfo {
    /// Name in the text form, for example `x0`; unique in its file.
    pub name: &'static str,
    /// Type of the values read and written.
    pub ty: Type,
    /// Byte offset of its home in the guest state (an `i1` is one byte, 0 or 1).
    pub offset: u32,
}

/// The registers of one instruction set, in index order.
#[derive(Debug)]
pub struct RegFile {
    /// Name of the instruction set, as it stands in the text form: `a64`, `a32`.
    pub isa: &'static str,
    /// One entry per [`Reg`].
    pub regs: &'static [RegInfo],
}

impl RegFile {
    /// The description of `reg`. Panics if `reg` is not of this file (an internal error).
    pub fn info(&self, reg: Reg) -> &RegInfo {
        &self.regs[reg.0 as usize]
    }

    /// The register of that name.
    pub fn by_name(&self, name: &str) -> Option<Reg> {
        self.regs.iter().position(|r| r.name == name).map(|i| Reg(i as u16))
    }
}
